"""`python -m benchmarks [PART...]`: run the suite, or parts of it, and keep the results."""

import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.data import Data, SkippedError
from benchmarks.lab import Lab
from benchmarks.parts import PARTS
from benchmarks.result import Result, Skipped


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory:
        data = Data(Path(directory, "data"))
        for name in names or PARTS:
            with Lab(Path(directory, name), data) as lab:
                results = _run(name, lab)
                report.keep(name, results, lab.commands, Path(directory))
            for result in results:
                print(report.line(result), flush=True)
    report.write()
    return 0


def _run(name: str, lab: Lab) -> list[Result | Skipped]:
    try:
        found = PARTS[name](lab)
    except SkippedError as reason:
        return [Skipped(name, str(reason))]
    return found if isinstance(found, list) else [found]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
