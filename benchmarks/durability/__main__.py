"""`python -m benchmarks.durability`: both experiments with everybody, into docs/reliability.md."""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.durability.experiments import Outcome, cut_power, fill_disk
from benchmarks.durability.receivers import RECEIVERS
from benchmarks.machine import machine, versions

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"
ROUNDS = 3


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="durability-") as directory:
        place = Path(directory)
        about = _about(place)
        cut, full = [], []
        for kind in RECEIVERS:
            rounds = [cut_power(kind, place / f"cut-{kind.__name__}-{n}") for n in range(ROUNDS)]
            cut.append(_cut_row(kind.name, rounds))
            print(cut[-1], flush=True)
            full.append(_full_row(kind.name, fill_disk(kind, place / f"full-{kind.__name__}")))
            print(full[-1], flush=True)
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    table = "\n".join([*CUT, *cut, "", *FULL, *full, "", about])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
    return 0


CUT = (
    "| the power is cut | answered Success | intact afterwards | shown, but broken |",
    "|---|---|---|---|",
)
FULL = (
    "| the disk is full | answered Success | of these intact | shown, but broken | "
    "answers when full | goes on when there is space |",
    "|---|---|---|---|---|---|",
)


def _cut_row(name: str, rounds: list[Outcome]) -> str:
    cells = [
        _range(each.acknowledged for each in rounds),
        _range(each.intact for each in rounds),
        _range(each.broken for each in rounds),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def _full_row(name: str, outcome: Outcome) -> str:
    answers = ", ".join(
        f"{count} x {status if isinstance(status, str) else f'0x{status:04X}'}"
        for status, count in outcome.answers.items()
    )
    numbers = f"{outcome.acknowledged} | {outcome.intact} | {outcome.broken}"
    goes_on = "yes" if outcome.goes_on else "no"
    return f"| {name} | {numbers} | {answers or '-'} | {goes_on} |"


def _range(numbers: Iterable[int]) -> str:
    low, *_, high = sorted(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _about(place: Path) -> str:
    facts = {**machine(place), **versions()}
    return "Measured on: " + "; ".join(f"{name} {value}" for name, value in facts.items()) + "."


if __name__ == "__main__":
    sys.exit(main())
