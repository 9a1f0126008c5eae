"""Versions of one instance, whatever happens to them: each destination gets them in order."""

import random
from pathlib import Path

import pytest

from router.config import load
from router.spool import Attempt, CopyTask, DeliveryTask, HeldCopy, Selection, Skipped, Spool
from router.spool.records import CopyOutcome
from tests.spool.making import NOW, accept, delivered, planned, processed

CONFIG = """
destinations:
  pacs: {ae_title: PACS, host: h, loop_guard: 1000}
  vna: {type: folder, directory: ./vna, loop_guard: 1000}
"""
DESTINATIONS = ("pacs", "vna")
ROUTES = {"plain": (False, ("pacs",)), "changed": (True, ("pacs",)), "both": (True, DESTINATIONS)}
STEPS = {"arrive": 20, "end_a_chain": 40, "send": 60, "retry": 5, "hold": 2, "discard": 2,
         "restart": 2}  # fmt: skip


class History:
    """Steps as chance wants them; `received[to]` are the versions a destination got, in order."""

    def __init__(self, directory: Path, seed: int) -> None:
        config = directory / "config.yaml"
        config.write_text(CONFIG)
        self.spool = Spool(directory / "spool", load(config).destinations)
        self.spool.open()
        self.chance = random.Random(seed)
        self.version = 0
        self.received: dict[str, list[bytes]] = {name: [] for name in DESTINATIONS}

    def run(self, steps: int) -> None:
        for step in self.chance.choices(list(STEPS), list(STEPS.values()), k=steps):
            getattr(self, step)()

    def arrive(self) -> None:
        self.version += 1
        routes = self.chance.sample(list(ROUTES), self.chance.randint(1, 3))
        copies = [planned(*ROUTES[name][1], route=name, chain=ROUTES[name][0]) for name in routes]
        pending = self.chance.random() < 0.3
        accept(self.spool, *copies, content=b"%04d" % self.version, pending=pending)

    def end_a_chain(self) -> None:
        """Any of those that are under way."""
        tasks = self.spool.ledger.claim_copies(100)
        if tasks:
            task = self.chance.choice(tasks)
            self.spool.ledger.finish_copy(task.copy_id, self._outcome(task)).result(20)
        self.spool.ledger.release_copy_claims([task.copy_id for task in tasks])

    def _outcome(self, task: CopyTask) -> CopyOutcome:
        how = self.chance.random()
        if how < 0.1:
            return Skipped("not wanted", "skip")
        if how < 0.3:
            return HeldCopy("no", "plugin", "hook", retry_after=0 if how < 0.2 else None)
        return processed(*task.destinations)

    def send(self) -> None:
        """Any of those that may be sent."""
        to = self.chance.choice(DESTINATIONS)
        tasks = self.spool.ledger.claim(to, 100)
        if tasks:
            attempt = self._try(self.chance.choice(tasks))
            self.spool.ledger.finish([attempt]).result(20)
        self.spool.ledger.release_claims([task.delivery_id for task in tasks])

    def _try(self, task: DeliveryTask) -> Attempt:
        if self.chance.random() < 0.2:
            return Attempt(task.delivery_id, NOW, "retry", None, "connection refused", NOW)
        [whole] = task.segments
        with open(whole.path, "rb") as file:  # type: ignore[union-attr]
            file.seek(whole.offset)  # type: ignore[union-attr]
            self.received[task.destination].append(file.read(whole.length))  # type: ignore[union-attr]
        return delivered(task.delivery_id)

    def retry(self) -> None:
        self.spool.ledger.retry(Selection()).result(20)

    def hold(self) -> None:
        self.spool.ledger.hold(Selection(route="plain"), "wait").result(20)

    def discard(self) -> None:
        self.spool.ledger.discard(Selection(route="changed"), "no").result(20)

    def restart(self) -> None:
        self.spool.close()
        self.spool.open()

    def settle(self) -> list[str]:
        """Let all go that nobody holds; the states of what is still open then."""
        ledger = self.spool.ledger
        while copies := ledger.claim_copies(100):
            for task in copies:
                ledger.finish_copy(task.copy_id, processed(*task.destinations)).result(20)
        while tasks := [task for name in DESTINATIONS for task in ledger.claim(name, 100)]:
            for task in tasks:
                ledger.finish([self._try(task)]).result(20)
        return [row.state for row in ledger.list(Selection())]


@pytest.mark.parametrize("seed", range(8))
def test_versions_arrive_in_order_and_none_waits_for_ever(tmp_path: Path, seed: int) -> None:
    history = History(tmp_path, seed)
    history.run(120)
    assert set(history.settle()) <= {"held"}
    history.spool.close()
    assert all(history.received.values())
    for versions in history.received.values():
        assert versions == sorted(versions)
