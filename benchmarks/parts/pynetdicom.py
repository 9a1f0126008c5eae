"""C-STORE in, against a stock pynetdicom SCP: time, and processor time of the receiving process."""

import sys

from benchmarks.lab import NODELAY, Lab, free_port
from benchmarks.pairs import in_pairs, ratios
from benchmarks.result import Result
from benchmarks.usage import cpu_seconds

WHAT = "receive 500 x 512 KiB, one association"
AGAINST = "pynetdicom storage SCP"


def run(lab: Lab) -> list[Result]:
    folders = lab.data.folders(lab.data.ct(), 1)
    spent: dict[str, list[float]] = {"router": [], "pynetdicom": []}

    def measure(name: str, pid: int, port: int) -> float:
        before = cpu_seconds(pid)
        took = lab.send(port, folders, **NODELAY)
        spent[name].append(cpu_seconds(pid) - before)
        return took

    def router() -> float:
        with lab.intake_router() as router:
            return measure("router", router.process.pid, router.port("modalities"))

    def pynetdicom() -> float:
        port, received = free_port(), lab.folder("pynetdicom")
        scp = [sys.executable, "-m", "benchmarks.parts.pynetdicom_scp", str(port), str(received)]
        with lab.running(scp, port) as process:
            return measure("pynetdicom", process.pid, port)

    took = in_pairs(router, pynetdicom, pairs=3)
    cpu = spent["router"][1:], spent["pynetdicom"][1:]
    return [
        Result(
            f"{WHAT}: time", AGAINST, "x", ratios(took), 0.4,
            raw={"router": took[0], "pynetdicom": took[1]},
        ),
        Result(
            f"{WHAT}: processor time", AGAINST, "x", ratios(cpu), 0.3,
            raw={"router": cpu[0], "pynetdicom": cpu[1]},
        ),
    ]  # fmt: skip
