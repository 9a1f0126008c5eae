"""What a start finds in the spool after a crash: rows whose file is gone."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from router.spool.repeats import judge_followers
from router.spool.summary import MISSING_FILE

if TYPE_CHECKING:
    from collections.abc import Collection

    import apsw

    from router.spool.codec import Paths
    from router.spool.transaction import Transaction

log = logging.getLogger("router.spool")

MOST_LOGGED = 20

OPEN_INSTANCES = """
SELECT instance FROM deliveries INDEXED BY deliveries_queued WHERE state = 'queued'
UNION SELECT instance FROM deliveries INDEXED BY deliveries_waiting WHERE state = 'waiting'
UNION SELECT instance FROM deliveries INDEXED BY deliveries_held WHERE state = 'held'
UNION SELECT instance FROM copies INDEXED BY copies_received WHERE state = 'received'
UNION SELECT instance FROM copies INDEXED BY copies_held WHERE state = 'held'
UNION SELECT id FROM instances INDEXED BY instances_held WHERE state = 'held'
UNION SELECT id FROM instances INDEXED BY instances_released WHERE state = 'released'
"""
FILES = f"""
SELECT id, path, offset + length, sop_instance_uid FROM instances WHERE id IN ({OPEN_INSTANCES})
"""


def missing_files(connection: apsw.Connection, paths: Paths) -> list[int]:
    """Instances that still have to go somewhere but whose file is gone or too short; logged."""
    missing: list[int] = []
    for instance, path, needed, sop_instance_uid in connection.execute(FILES):
        if _size(paths.absolute(path)) >= needed:
            continue
        missing.append(instance)
        if len(missing) <= MOST_LOGGED:
            log.error("spool.file.missing sop_instance_uid=%s path=%s", sop_instance_uid, path)
    if missing:
        log.critical(
            "spool.files.missing count=%d: held; restore them and `queue release`", len(missing)
        )
    return missing


def hold_missing(transaction: Transaction, instances: Collection[int]) -> None:
    values = [(MISSING_FILE, instance) for instance in instances]
    for value in values:
        transaction.execute(
            "UPDATE deliveries SET state = 'held', due = NULL, behind = NULL, reason = ?"
            " WHERE instance = ? AND state IN ('queued', 'waiting', 'held')",
            value,
        )
        transaction.execute(
            "UPDATE copies SET state = 'held', retry_at = NULL, reason = ?"
            " WHERE instance = ? AND state IN ('received', 'held')",
            value,
        )
        transaction.execute(
            "UPDATE instances SET state = 'held', reason = ?"
            " WHERE id = ? AND state IN ('held', 'released')",
            value,
        )
        judge_followers(transaction, value[1])


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1
