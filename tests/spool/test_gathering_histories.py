"""Studies through random histories: every processed copy is told of once, with the right others."""

from __future__ import annotations

import dataclasses
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from router.spool import HeldCopy, PlannedCopy, Selection, Skipped, Spool

from .making import ASSOCIATION, accept, processed
from .test_gathering import Studies

SENDERS = [dataclasses.replace(ASSOCIATION, calling_ae_title=f"CT{n}") for n in range(3)]
STUDIES, ROUTES = ("1.2", "1.3"), ("ai",)
STEPS = st.one_of(
    st.tuples(
        st.just("arrive"),
        st.sampled_from(SENDERS),
        st.sampled_from(STUDIES),
        st.sampled_from(ROUTES),
        st.booleans(),
    ),
    st.tuples(st.just("begin"), st.sampled_from(SENDERS)),
    st.tuples(st.just("end"), st.sampled_from(SENDERS)),
    st.tuples(st.just("process"), st.sampled_from(["processed", "processed", "skipped", "held"])),
    st.tuples(st.just("process"), st.just("held")),
    st.tuples(st.just("release")),
    st.tuples(st.just("quiet")),
    st.tuples(st.just("quiet")),
    st.tuples(st.just("restart")),
)


@dataclass
class Copy:
    uid: str
    sender: object
    key: tuple[str, str]
    state: str


@dataclass
class Model:
    """What ought to be told: `rounds` are the copies that gather, by route and study."""

    copies: dict[str, Copy] = field(default_factory=dict)
    rounds: defaultdict[tuple[str, str], list[Copy]] = field(
        default_factory=lambda: defaultdict(list)
    )
    complete: set[tuple[str, str]] = field(default_factory=set)
    open: set[object] = field(default_factory=set)

    def tell(self) -> list[tuple[str, bool, list[str]]]:
        told = []
        for key, copies in list(self.rounds.items()):
            if any(copy.state == "received" or copy.sender in self.open for copy in copies):
                continue
            del self.rounds[key]
            whole = [copy.uid for copy in copies if copy.state == "processed"]
            if whole:
                order = sorted(whole, key=lambda uid: list(self.copies).index(uid))
                told.append((key[0], key in self.complete, order))
                self.complete.add(key)
        return sorted(told)

    def processed(self, copy: Copy) -> None:
        if copy not in self.rounds[copy.key]:
            self.rounds[copy.key].append(copy)


ONE = ("arrive", SENDERS[0], "1.2", "ai", False)
CHAIN = ("arrive", SENDERS[0], "1.2", "ai", True)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=12, max_size=40))
@example([CHAIN, ("process", "held"), ("quiet",), ("release",), ("process", "processed")])
@example([ONE, CHAIN, ("quiet",), ("process", "processed"), ("quiet",), ONE, ("quiet",)])
@example([("begin", SENDERS[0]), ONE, ("quiet",), ("end", SENDERS[0]), ("quiet",), ONE])
def test_every_processed_copy_is_told_of_once_with_those_it_came_with(steps):
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), [*steps, ("restart",), ("quiet",)])


def play(folder: Path, steps) -> None:
    model, told = Model(), []
    spool = Spool(folder / "spool")
    spool.open()
    try:
        for number, (step, *values) in enumerate(steps):
            if step == "restart":
                spool.close()
                spool.open()
                model.open.clear()
            elif step == "quiet":
                found = Studies(spool).tell()
                assert sorted(found) == model.tell(), (number, step)
                told += [uid for _, _, uids in found for uid in uids]
            else:
                globals()[step](spool, model, f"5.{number}", *values)
    finally:
        spool.close()
    assert len(told) == len(set(told))
    waiting = {copy.uid for copies in model.rounds.values() for copy in copies}
    done = {uid for uid, copy in model.copies.items() if copy.state == "processed"}
    assert set(told) | waiting >= done


def arrive(spool, model, uid, sender, study, route, has_chain) -> None:
    planned = PlannedCopy(route, (), has_chain, study_quiet=60.0)
    accept(spool, planned, uid=uid, study_instance_uid=study, association=sender)
    copy = Copy(uid, sender, (route, study), "received" if has_chain else "processed")
    model.copies[uid] = copy
    model.rounds[copy.key].append(copy)


def begin(spool, model, _, sender) -> None:
    if sender not in model.open:
        spool.ledger.association_began(sender)
        model.open.add(sender)


def end(spool, model, _, sender) -> None:
    if sender in model.open:
        spool.ledger.association_ended(sender)
        model.open.remove(sender)


def process(spool, model, _, state) -> None:
    for task in spool.ledger.claim_copies(1):
        outcomes = {
            "processed": processed(),
            "skipped": Skipped("not wanted", "skip"),
            "held": HeldCopy("no", "check", "verify_instance"),
        }
        spool.ledger.finish_copy(task.copy_id, outcomes[state]).result()
        copy = model.copies[task.sop_instance_uid]
        copy.state = state
        if state == "processed":
            model.processed(copy)


def release(spool, model, _) -> None:
    spool.ledger.release(Selection()).result()
    for copy in model.copies.values():
        if copy.state == "held":
            copy.state = "received"
