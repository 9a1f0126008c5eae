"""Makes a backlog: COUNT accepted instances that wait for `archive`. SPOOL FILE COUNT.

Through the spool's own interface, as intake does it, in group commits. All instances are the one
FILE: what a waiting delivery costs intake is its rows, nobody reads its bytes.
"""

import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from router.dataset import open_part10
from router.instance import Association
from router.spool import Arrival, PlannedCopy, Spool, Stored

AT_ONCE = 5000


def main(directory: str, source: str, count: int) -> None:
    with Spool(Path(directory)) as spool:
        file = spool.incoming()
        file.write([Path(source).read_bytes()])
        file.sync()
        part10 = open_part10(source)
        stored = Stored(file.path, part10.dataset_offset, part10.length)
        arrivals = (_arrival(stored, part10, number) for number in range(count))
        while futures := [spool.ledger.accept(each) for each in islice(arrivals, AT_ONCE)]:
            for future in futures:
                future.result()


def _arrival(stored: Stored, part10, number: int) -> Arrival:
    study, now = f"1.2.3.{number // 500}", datetime.now(UTC)
    return Arrival(
        stored=stored,
        transfer_syntax=part10.transfer_syntax,
        sop_class_uid=part10.sop_class_uid,
        sop_instance_uid=f"{study}.1.{number}",
        study_instance_uid=study,
        series_instance_uid=f"{study}.1",
        patient_id=f"P-{number // 500}",
        accession_number=f"A-{number // 500}",
        digest=bytes(32),
        association=Association("CT1", "ROUTER", "127.0.0.1", "modalities", None, None, None, now),
        received=now,
        generation=1,
        copies=(PlannedCopy("everything", ("archive",), has_chain=False),),
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
