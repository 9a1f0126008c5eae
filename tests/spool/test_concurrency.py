"""Many threads at once: nothing is lost, and nothing is handed out twice."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from router.spool import Attempt, Selection, Spool, writer
from tests.spool.making import NOW, accept, planned, processed

INSTANCES = 400


def test_every_delivery_is_handed_out_once_while_instances_arrive(spool: Spool) -> None:
    sent: Counter[int] = Counter()
    arrived = threading.Event()

    def deliver() -> None:
        while True:
            last = arrived.is_set()
            tasks = spool.ledger.claim("pacs", 7)
            sent.update(task.delivery_id for task in tasks)
            attempts = [Attempt(task.delivery_id, NOW, "delivered", 0) for task in tasks]
            spool.ledger.finish(attempts).result(20)
            if last and not tasks:
                return

    with ThreadPoolExecutor(12) as pool:
        senders = [pool.submit(deliver) for _ in range(4)]
        accepted = pool.map(
            lambda number: accept(spool, planned("pacs", "vna"), uid=f"1.{number}"),
            range(INSTANCES),
        )
        assert len(set(accepted)) == INSTANCES
        arrived.set()
        for sender in senders:
            sender.result(30)
    assert set(sent.values()) == {1}
    assert len(sent) == INSTANCES
    assert spool.ledger.count(Selection(destination="pacs")) == 0
    assert spool.ledger.count(Selection(destination="vna")) == INSTANCES


def test_every_copy_is_handed_out_once(spool: Spool) -> None:
    for number in range(60):
        accept(spool, planned("pacs", chain=True), uid=f"1.{number}")
    processed_copies: Counter[int] = Counter()

    def process() -> None:
        while tasks := spool.ledger.claim_copies(3):
            processed_copies.update(task.copy_id for task in tasks)
            for task in tasks:
                spool.ledger.finish_copy(task.copy_id, processed("pacs")).result(20)

    with ThreadPoolExecutor(4) as pool:
        for worker in [pool.submit(process) for _ in range(4)]:
            worker.result(30)
    assert set(processed_copies.values()) == {1}
    assert spool.ledger.count(Selection(destination="pacs")) == 60


def test_the_queue_is_read_and_changed_while_instances_arrive(spool: Spool) -> None:
    with ThreadPoolExecutor(8) as pool:
        accepted = [
            pool.submit(accept, spool, planned("pacs"), uid=f"1.{number}")
            for number in range(INSTANCES)
        ]
        while not all(one.done() for one in accepted):
            spool.ledger.hold(Selection(destination="pacs"), "no").result(20)
            assert spool.ledger.summary().instances <= INSTANCES
            spool.ledger.where("1.2.3", limit=5)
            spool.ledger.release(Selection(destination="pacs")).result(20)
        for one in accepted:
            one.result(20)
    assert len(spool.ledger.claim("pacs", INSTANCES * 2)) == INSTANCES


def test_the_log_of_the_ledger_does_not_grow_without_end(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "WAL_WHEN_BUSY", 100)
    for number in range(INSTANCES):
        accept(spool, planned("pacs"), uid=f"1.{number}")
    wal = spool.directory / "ledger.db-wal"
    assert wal.stat().st_size < 250 * 4096
