"""Accepts instances until it is killed or fails: run by the crash tests in a process of its own."""

import itertools
import sys
import threading
from pathlib import Path

from router.spool import Spool, SpoolError, SpoolFull
from tests.spool.making import accept, planned
from tests.spool.test_crash import CONTENT


def main(directory: Path) -> None:
    numbers = itertools.count()
    failed: list[str] = []

    def run() -> None:
        try:
            while not failed:
                uid = f"1.{next(numbers)}"
                accept(spool, planned("pacs"), uid=uid, content=CONTENT)
                sys.stdout.write(f"{uid}\n")
                sys.stdout.flush()
        except SpoolError as error:
            failed.append("full" if isinstance(error, SpoolFull) else "failed")

    with Spool(directory) as spool:
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sys.stdout.write(f"{failed[0]}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
