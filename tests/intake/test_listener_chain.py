"""Plugins asked about associations and instances: the sender is told the truth of it."""

import logging

import pytest

from router.wire import AssociationRejected

PLUGIN = """\
from pathlib import Path

from router import Hold, Refusal, hookimpl

class Asked:
    def __init__(self, say: str = ""):
        self.say = say

    @hookimpl
    def startup(self, context):
        self.told = context.directory / "told"

    @hookimpl
    def accept_association(self, association):
        if self.say.startswith("association"):
            return self._answer(association.calling_ae_title)

    @hookimpl
    def accept_instance(self, instance):
        if self.say == "reads":
            with instance.open() as file:
                return Refusal(f"{len(file.read())} of {instance.size}", 0x0122)
        if self.say.startswith("instance"):
            return self._answer(instance.dataset.PatientID)

    @hookimpl
    def association_ended(self, association):
        with self.told.open("a") as file:
            print(association.calling_ae_title, file=file)
        if self.say == "ended":
            raise ValueError(association.calling_ae_title)

    def _answer(self, secret):
        match self.say.split()[-1]:
            case "refuses":
                return Refusal("not on Sundays", 0x0122)
            case "raises":
                raise ValueError(secret)
            case "exits":
                raise SystemExit(secret)
            case "holds":
                raise Hold("ask the technician")
            case "mumbles":
                return "no"
"""


@pytest.fixture
def asked(station, tmp_path):
    def start(say: str):
        (tmp_path / "asked.py").write_text(PLUGIN)
        more = f'plugins: {{asked: {{use: "asked.py:Asked", options: {{say: "{say}"}}}}}}'
        return station(listener="chain: [asked]", more=more)

    return start


def test_a_chain_that_says_nothing_accepts(asked, wait_until):
    started = asked("")
    assert started.send().status == 0
    told = started.folder / "plugins" / "asked" / "told"
    wait_until(lambda: told.exists() and told.read_text() == "CT1\n")


def test_a_plugin_may_refuse_an_instance_in_its_own_words(asked, wait_until):
    started = asked("instance refuses")
    response = started.send(PatientID="P1")
    assert (response.status, response.error_comment) == (0x0122, "not on Sundays")
    wait_until(lambda: started.refusals() == [(0x0122, "not on Sundays")])
    wait_until(lambda: started.acceptor.associations == 0)
    assert started.files() == []


@pytest.mark.parametrize("length", [2, 60_000], ids=["small", "large"])
def test_a_plugin_may_read_all_of_the_instance(asked, length):
    comments = "x" * length
    response = asked("reads").send(PatientComments=comments, ImageComments=comments)
    there, size = response.error_comment.split(" of ")
    assert int(there) > int(size) > 2 * length  # there is the file meta, too


@pytest.mark.parametrize(
    ("does", "because"),
    [
        ("raises", "ValueError at "),
        ("exits", "SystemExit at "),
        ("holds", "ask the technician"),
        ("mumbles", "it answered str"),
    ],
)
def test_a_plugin_that_fails_refuses_the_instance_and_is_named(asked, wait_until, does, because):
    started = asked(f"instance {does}")
    response = started.send(PatientID="Secret")
    assert response.status == 0x0110
    assert response.error_comment.startswith("asked: accept_instance: ")
    wait_until(started.refusals)
    [(status, reason)] = started.refusals()
    assert status == 0x0110
    assert because in reason
    assert "Secret" not in reason
    wait_until(lambda: started.acceptor.associations == 0)
    assert started.files() == []
    assert started.ledger.where("1.2.3.4").instances == ()


@pytest.mark.parametrize(
    ("does", "result"), [("refuses", 1), ("raises", 2), ("exits", 2), ("mumbles", 2)]
)
def test_a_plugin_may_reject_an_association_and_one_that_fails_does_for_now(
    asked, does, result, caplog
):
    caplog.set_level(logging.INFO)
    started = asked(f"association {does}")
    with pytest.raises(AssociationRejected) as rejected:
        started.associate(calling_ae_title="CT7")
    assert (rejected.value.result, rejected.value.source, rejected.value.reason) == (result, 1, 1)
    [said] = [r.getMessage() for r in caplog.records if "association.rejected" in r.msg]
    assert "calling=CT7" in said
    assert ("not on Sundays" if result == 1 else "asked: accept_association: ") in said


def test_one_that_fails_at_the_end_changes_nothing(asked):
    started = asked("ended")
    assert [started.send().status for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(("calling_ae_title", "status"), [("CT1", 0x0122), ("CT2", 0)])
def test_its_when_reads_text_as_the_peer_is_assumed_to_write_it(
    station, tmp_path, calling_ae_title, status
):
    (tmp_path / "asked.py").write_text(PLUGIN)
    started = station(
        listener='chain: [{asked: , when: {PatientName: "ЖУК*"}}]',
        more="peers: {ct: {calling_ae_titles: CT1, assume_character_set: ISO_IR 144}}\n"
        'plugins: {asked: {use: "asked.py:Asked", options: {say: instance refuses}}}',
    )
    name = "ЖУК^".encode("iso8859_5")
    response = started.send(calling_ae_title=calling_ae_title, PatientName=name, PatientID="P1")
    assert response.status == status
