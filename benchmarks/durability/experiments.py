"""Two experiments with every receiver: the power goes, the disk is full."""

import hashlib
import os
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.durability.receivers import Receiver, contents
from benchmarks.scu import CT
from router.wire import Peer, PeerTimeout, Timeouts, WireError, connect
from tests.faults.disk import Disk
from tests.faults.modality import Factory, Made, store
from tests.story.peers import until

CT_BYTES = 512 << 10
MIB = 1 << 20
ABORTED, SILENT = "aborted", "no answer within 10 s"  # instead of a status
PATIENCE = Timeouts(10, 10, 10)
MOST_SILENCE = 3


@dataclass(frozen=True)
class Outcome:
    """Numbers of instances; `answers` to what was not taken, by status."""

    acknowledged: int
    intact: int
    broken: int  # shown by the receiver, but not what was sent
    answers: Counter = field(default_factory=Counter)
    goes_on: bool | None = None


def cut_power(kind: type[Receiver], folder: Path, count: int = 100) -> Outcome:
    """So many CT images, and the power goes when the last of them has been answered."""
    with ExitStack() as ended:
        disk = Disk(folder, size="512M")
        ended.callback(disk.close)
        receiver = kind(disk.path, folder)
        receiver.start()
        ended.callback(receiver.kill)
        os.sync()  # its empty folders are there, whatever happens
        sent = Modality(receiver.port)
        sent.send(count)
        disk.cut_power()
        receiver.kill()
        disk.start_again()
        return sent.outcome(receiver)


def fill_disk(kind: type[Receiver], folder: Path, count: int = 60) -> Outcome:
    """So many CT images to a disk that takes about a third of them; then it has space again."""
    with ExitStack() as ended:
        disk = Disk(folder, size="512M")
        ended.callback(disk.close)
        receiver = kind(disk.path, folder)
        receiver.start()
        ended.callback(receiver.kill)
        sent = Modality(receiver.port)
        sent.send(5)
        ballast = disk.fill(leave=count // 3 * CT_BYTES)
        sent.send(count)
        ballast.unlink()
        answers = Counter(sent.answers)
        goes_on = sent.is_taken_soon()
        return replace(sent.outcome(receiver), answers=answers, goes_on=goes_on)


class Modality:
    """Sends each instance once, in a new association when the one before is gone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._factory = Factory(seed=1)
        self._association = None
        self._acknowledged: list[Made] = []
        self.answers: Counter = Counter()

    def send(self, count: int) -> None:
        """Gives up on a receiver that says nothing any more."""
        for _ in range(count):
            if self.answers[SILENT] >= MOST_SILENCE:
                return
            instance = self._factory.make(CT_BYTES)
            status = self._store(instance)
            if status == 0:
                self._acknowledged.append(instance)
            else:
                self.answers[status] += 1

    def is_taken_soon(self) -> bool:
        """Whether something is taken within some seconds."""
        before = len(self._acknowledged)
        self.answers.clear()

        def is_taken() -> bool:
            self.send(1)
            return len(self._acknowledged) > before

        try:
            until(is_taken, "it takes something again", 10)
        except AssertionError:
            return False
        return True

    def outcome(self, receiver: Receiver) -> Outcome:
        there = contents(receiver)
        known = {(made.uid, _pixels(made)) for made in self._acknowledged}
        uids = {made.uid for made in self._acknowledged}
        broken = sum(n for key, n in there.items() if key not in known and key[0] in uids | {""})
        return Outcome(len(known), len(known & there.keys()), broken)

    def _store(self, instance: Made) -> int | str:
        try:
            if self._association is None or not self._association.is_open:
                self._association = connect(
                    Peer("127.0.0.1", self._port, "ROUTER", "CT1"), [CT], timeouts=PATIENCE
                )
            return store(self._association, instance)
        except WireError as error:
            self._association = None
            return SILENT if isinstance(error, PeerTimeout) else ABORTED


def _pixels(made: Made) -> str:
    """The hash of the last element's value."""
    return hashlib.sha256(made.data[-CT_BYTES:]).hexdigest()
