"""Association requests: many at once, and one after the other."""

import threading
import time

from benchmarks.lab import Lab
from benchmarks.result import Result
from benchmarks.scu import VERIFICATION, associate

AT_ONCE = 20
IN_A_ROW = 1000


def run(lab: Lab) -> list[Result]:
    with lab.intake_router() as router:
        port = router.port("modalities")
        accepted, took = _at_once(port)
        began = time.perf_counter()
        for _ in range(IN_A_ROW):
            associate(port, [VERIFICATION]).release()
        rate = IN_A_ROW / (time.perf_counter() - began)
    return [
        Result("associations accepted of 20 opened at once", "", "", [accepted], AT_ONCE,
               at_least=True, raw={"until the last was open": [took]}),
        Result("1,000 associations in a row", "", "/s", [rate], 100, at_least=True),
    ]  # fmt: skip


def _at_once(port: int) -> tuple[int, float]:
    """How many were answered with an echo while all were open, and when the last one was."""
    gate, open_together = threading.Barrier(AT_ONCE + 1), threading.Barrier(AT_ONCE + 1)
    answered = []

    def one() -> None:
        gate.wait()
        association = associate(port, [VERIFICATION])
        open_together.wait(30)
        answered.append(association.echo().status == 0)
        association.release()

    threads = [threading.Thread(target=one, daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    open_together.wait(30)
    took = time.perf_counter() - began
    for thread in threads:
        thread.join(30)
    return sum(answered), took
