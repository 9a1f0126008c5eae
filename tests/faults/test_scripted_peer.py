"""A destination that fails in every way there is: what it did not take is sent again, only that."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.story.peers import RunningRouter, StoreScp, until
from tests.wire.peers import ABORT, pdu

from .modality import Sender
from .scripted import Behaviour, ScriptedScp, success

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  scripted:
    ae_title: SCRIPTED
    host: 127.0.0.1
    port: {scripted}
    close_after: 200 ms
    associations: 1
    retry: {{first: 50 ms, longest: 100 ms}}
    timeouts: {{association: 20 s, response: 20 s}}
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}}}
routes:
  - {{name: everything, to: [scripted, pacs]}}
"""
COUNT = 6


@dataclass
class Lab:
    router: RunningRouter
    scp: ScriptedScp
    pacs: StoreScp

    def send(self, count: int, behaviour: Behaviour) -> Sender:
        """Instances of one study that the scripted peer gets on one association, or tries to."""
        until(lambda: not self.scp.is_open, "the association before is closed", 20)
        self.scp.script.clear()
        self.scp.script.append(behaviour)
        sender = Sender(self.router.port("modalities"))
        assert sender.send(count) == [0] * count
        return sender

    def outcomes(self, uid: str) -> list[str]:
        """Of the tries to deliver it to the scripted peer."""
        instances = self.router.ask("where", uid=uid)["instances"]
        deliveries = [each for one in instances for each in one["deliveries"]]
        tries = [each["attempts"] for each in deliveries if each["destination"] == "scripted"]
        return [each["outcome"] for each in sum(tries, [])]

    def is_delivered(self, sender: Sender) -> bool:
        return all("delivered" in self.outcomes(uid) for uid in sender.made)

    def check(self, sender: Sender, again: int = 0) -> None:
        """Delivered, each answered Success once; so many were received once more than that."""
        until(lambda: self.is_delivered(sender), "everything is delivered", 30)
        answered, received = Counter(self.scp.answered), Counter(self.scp.received)
        assert {answered[uid] for uid in sender.made} == {1}
        assert sum(received[uid] - 1 for uid in sender.made) == again
        self.check_the_other(sender)

    def check_the_other(self, sender: Sender) -> None:
        names = {f"CT.{uid}" for uid in sender.made}
        until(lambda: names <= {path.name for path in self.pacs.files()}, "the other has all", 20)


@pytest.fixture(scope="module")
def lab(tmp_path_factory, dcmtk, free_port) -> Lab:
    """One router for all: it has to go on after each of them."""
    directory = tmp_path_factory.mktemp("scripted")
    with ExitStack() as started:
        scp = ScriptedScp()
        started.callback(scp.close)
        pacs = StoreScp(directory / "PACS", free_port(), "PACS")
        started.callback(pacs.close)
        pacs.start()
        router = RunningRouter(directory, CONFIG.format(scripted=scp.port, pacs=pacs.port))
        started.callback(router.close)
        yield Lab(router.start(), scp, pacs)


def half(request) -> bytes:
    return success(request)[:20] + bytes(1 << 10)


def unknown_pdu(request) -> bytes:
    return pdu(0x4D, b"what is this?")


def other_message(request) -> bytes:
    """A response that is not to this request."""
    return success(request).replace(*(n.to_bytes(2, "little") for n in (request.message_id, 999)))


MISBEHAVIOURS = {  # and how many instances were received whole, but not answered Success
    "aborts the association": (Behaviour(at="association"), 0),
    "aborts at a command": (Behaviour(at="command", after=2), 0),
    "aborts at a data set": (Behaviour(at="data", after=2), 0),
    "aborts instead of a response": (Behaviour(at="response", after=2), 1),
    "answers with an abort": (Behaviour(answer=lambda _: ABORT, after=2), 1),
    "answers half a response and zeros": (Behaviour(answer=half, after=2), 1),
    "answers with an unknown PDU": (Behaviour(answer=unknown_pdu, after=2), 1),
    "answers another message": (Behaviour(answer=other_message, after=2), 1),
    "is out of resources": (Behaviour(status=0xA700, after=2), 1),
    "warns": (Behaviour(status=0xB000, after=2), 0),
}


@pytest.mark.parametrize(("behaviour", "again"), MISBEHAVIOURS.values(), ids=MISBEHAVIOURS)
def test_what_it_did_not_take_is_sent_again_and_only_that(lab, behaviour, again):
    sender = lab.send(COUNT, behaviour)
    lab.check(sender, again)
    assert not lab.scp.script


def test_an_object_it_refuses_waits_and_the_others_do_not(lab):
    sender = lab.send(COUNT, Behaviour(status=0xC000, after=2))
    lab.check_the_other(sender)
    refused = list(sender.made)[2]
    for uid in sender.made:
        expected = ["refused" if uid == refused else "delivered"]
        until(lambda: lab.outcomes(uid) == expected, f"it is {expected}", 20)  # noqa: B023
    lab.router.command("queue", "retry", "--destination", "scripted", check=True)
    lab.check(sender, again=1)


def test_objects_whose_context_it_does_not_accept_wait(lab):
    sender = lab.send(1, Behaviour(result=3))
    [uid] = sender.made
    until(lambda: lab.outcomes(uid) == ["refused"], "it waits", 20)
    lab.check_the_other(sender)
    lab.router.command("queue", "retry", "--destination", "scripted", check=True)
    lab.check(sender)


def test_a_peer_that_reads_a_byte_a_second_delays_nobody_else(lab):
    sender = lab.send(COUNT, Behaviour(slow=5))
    lab.check_the_other(sender)
    assert not any(uid in lab.scp.answered for uid in sender.made)
    lab.check(sender)


def test_a_maximum_pdu_that_changes_from_association_to_association_is_kept_to(lab):
    for size in (16384, 128, 0, 65536):
        lab.check(lab.send(2, Behaviour(maximum_pdu=size)))
        assert not lab.scp.script


def cut_after_each(lab: Lab, positions: list[int]) -> None:
    for position in positions:
        sender = lab.send(1, Behaviour(cut_after=position))
        until(lambda: lab.is_delivered(sender), f"delivered, cut after {position} bytes", 20)  # noqa: B023
        [uid] = sender.made
        assert lab.scp.answered.count(uid) == 1, position
        assert not lab.scp.script
    lab.check_the_other(sender)


# One exchange of one instance: 290 bytes of request, 190 of its answer, 2500 of C-STORE, 100 back.
BYTES = 3200


def test_the_connection_breaks_in_the_middle_of_anything(lab):
    cut_after_each(lab, [*range(1, BYTES, 97)])


@pytest.mark.soak
def test_the_connection_breaks_after_every_single_byte(lab):
    cut_after_each(lab, [*range(1, BYTES)])
