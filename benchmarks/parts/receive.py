"""C-STORE in, against DCMTK's storescp, which writes each object to a file and syncs nothing."""

from dataclasses import dataclass

from benchmarks.data import Data
from benchmarks.lab import NODELAY, Lab, free_port
from benchmarks.pairs import PAIRS, in_pairs, ratios
from benchmarks.result import Result


@dataclass(frozen=True)
class Receive:
    """`count` objects from `senders` processes at once, with Nagle's algorithm on or off."""

    kind: str
    count: int
    senders: int
    nagle: bool
    target: float
    pairs: int = PAIRS

    def __call__(self, lab: Lab) -> Result:
        folders = lab.data.folders(files(lab.data, self.kind)[: self.count], self.senders)
        environment = {} if self.nagle else NODELAY

        def into_router() -> float:
            with lab.intake_router() as router:
                return lab.send(router.port("modalities"), folders, **environment)

        def into_storescp() -> float:
            received, port = lab.folder("storescp"), free_port()
            options = ["--fork"] if self.senders > 1 else []
            with lab.running(
                ["storescp", *options, "-od", str(received), str(port)],
                port,
                **environment,
            ):
                return lab.send(port, folders, **environment)

        measured = in_pairs(into_router, into_storescp, self.pairs)
        return Result(
            what=self.what,
            against="DCMTK storescp" + (" --fork" if self.senders > 1 else ""),
            unit="x",
            figures=ratios(measured),
            target=self.target,
            raw={"router": measured[0], "storescp": measured[1]},
        )

    @property
    def what(self) -> str:
        size = "512 KiB" if self.kind == "ct" else "2 KB"
        who = "8 senders at once" if self.senders > 1 else "one association"
        nagle = ", sender with Nagle's algorithm on" if self.nagle else ""
        return f"receive {self.count:,} x {size}, {who}{nagle}"


def files(data: Data, kind: str) -> list:
    return data.ct() if kind == "ct" else data.small()
