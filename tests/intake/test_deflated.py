"""Deflated data sets where a listener lists them: looked into, bounded, kept as they came."""

import struct
import zlib

import pytest

from router.dataset import read_segments
from router.wire import NoAcceptedContext

from .station import CT, data_set

DEFLATED = "1.2.840.10008.1.2.1.99"
LISTED = "transfer_syntaxes: [DeflatedExplicitVRLittleEndian]"
BY_ELEMENT = """\
  - {name: chest, when: {StudyDescription: "CHEST*"}, to: [pacs]}
  - {name: rest, when: otherwise, to: [vna]}
"""
PIXELS = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 0xFFFFFFFE)
MIB = 1 << 20


def deflated(*contents: bytes) -> bytes:
    stream = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return b"".join((*map(stream.compress, contents), stream.flush()))


def test_they_are_not_taken_otherwise(station):
    with pytest.raises(NoAcceptedContext):
        station().associate([(CT, [DEFLATED])])


def test_rules_see_the_elements_and_what_is_kept_is_what_came(station):
    started = station(listener=LISTED, routes=BY_ELEMENT)
    came = deflated(data_set(StudyDescription="CHEST 2", PatientID="4711"))
    assert started.send(came, transfer_syntax=DEFLATED).status == 0
    [task] = started.tasks()
    assert (task.route, task.transfer_syntax) == ("chest", DEFLATED)
    assert (task.study_instance_uid, task.problem) == ("1.2.9", None)
    assert b"".join(read_segments(task.segments)) == came
    assert len(started.ledger.where(patient_id="4711").instances) == 1
    other = deflated(data_set(StudyDescription="HEAD", SOPInstanceUID="1.2.3.5"))
    assert started.send(other, uid="1.2.3.5", transfer_syntax=DEFLATED).status == 0
    assert started.destinations("1.2.3.5") == ["vna"]


def test_plugins_of_the_listener_see_the_elements(station, tmp_path):
    (tmp_path / "gate.py").write_text(
        "from router import Refusal, hookimpl\n\n\nclass Gate:\n    @hookimpl\n"
        "    def accept_instance(self, instance):\n"
        '        if instance.dataset.PatientID == "NO":\n'
        '            return Refusal(f"not this one of {instance.size} bytes")\n'
    )
    started = station(listener=f'{LISTED}, chain: ["gate.py:Gate"]')
    good, bad = (deflated(data_set(PatientID=each)) for each in ("YES", "NO"))
    assert started.send(good, transfer_syntax=DEFLATED).status == 0
    answer = started.send(bad, transfer_syntax=DEFLATED)
    assert (answer.status, answer.error_comment) == (0x0124, f"not this one of {len(bad)} bytes")


def test_uids_of_command_and_data_set_are_compared(station):
    answer = station(listener=LISTED).send(
        deflated(data_set(SOPInstanceUID="1.2.3.9")), transfer_syntax=DEFLATED
    )
    assert answer.status == 0xA900


@pytest.mark.parametrize(
    ("limits", "made", "cap"),
    [
        ("", [PIXELS, *[bytes(MIB)] * 300], "inflated_ratio"),
        ("", [b"\x09\x00\x01\x00UN\0\0\0\0\0\0" * 30_000] * 60, "inflated_ratio"),
        ("limits: {inflated_ratio: 2000, inflated: 200 MiB}", [PIXELS, *[bytes(MIB)] * 300],
         "inflated"),
        ("limits: {inflated: 1 MiB}", [PIXELS, bytes(MIB)], "inflated"),
    ],
    ids=["pixels", "elements", "size", "small"],
)  # fmt: skip
def test_a_bomb_is_refused_and_nothing_of_it_is_kept(station, wait_until, limits, made, cap):
    bomb = deflated(data_set(), *made)
    assert len(bomb) < 320 * 1024
    started = station(listener=", ".join(filter(None, (LISTED, limits))))
    answer = started.send(bomb, transfer_syntax=DEFLATED)
    comment = f"It inflates beyond limits.{cap} of the router"
    assert (answer.status, answer.error_comment) == (0x0124, comment)
    assert len(comment) <= 64  # VR LO
    wait_until(lambda: started.refusals() == [(0x0124, comment)])
    assert started.send(deflated(data_set()), transfer_syntax=DEFLATED).status == 0
    assert len(started.tasks()) == 1


def test_up_to_the_caps_it_is_taken_whatever_its_ratio(station):
    limits = "limits: {inflated_ratio: 2000}"
    started = station(listener=f"{LISTED}, {limits}")
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 100 * MIB)
    came = deflated(data_set(), pixels, *[bytes(MIB)] * 100)
    assert started.send(came, transfer_syntax=DEFLATED).status == 0
    [task] = started.tasks()
    assert b"".join(read_segments(task.segments)) == came
    assert task.size == len(came)


@pytest.mark.parametrize(
    "broken",
    [
        deflated(data_set())[:-1],
        deflated(data_set()[:-1]),
        zlib.compress(data_set()),
        data_set(),
        b"\xff" * 50,
    ],
    ids=["cut off", "half", "zlib", "not deflated", "noise"],
)
def test_what_cannot_be_inflated_to_its_end_is_refused_as_broken(station, broken):
    started = station(listener=LISTED)
    answer = started.send(broken, transfer_syntax=DEFLATED)
    assert answer.status == 0xC000
    assert answer.error_comment.startswith("Data set broken: ")
    assert len(answer.error_comment) <= 64


def test_with_something_behind_it_it_is_taken_and_passed_on_as_it_came(station):
    started = station(listener=LISTED, routes=BY_ELEMENT)
    came = deflated(data_set(StudyDescription="CHEST")) + b"MORE"
    assert started.send(came, transfer_syntax=DEFLATED).status == 0
    [task] = started.tasks()
    assert task.problem == "something follows its deflate stream"
    assert b"".join(read_segments(task.segments)) == came
