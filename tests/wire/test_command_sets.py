"""Our command set codec, held against pydicom's and against rubbish."""

import contextlib
import io

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from router.wire import ProtocolViolation, Response, command
from tests.wire.peers import CT

uids = st.from_regex(r"\A[0-2](\.(0|[1-9][0-9]{0,8})){1,5}\Z")
numbers = st.integers(0, 0xFFFF)


def by_pydicom(encoded: bytes) -> Dataset:
    return read_dataset(io.BytesIO(encoded), True, True)


@settings(deadline=None)
@given(numbers, uids, uids, numbers, st.none() | st.tuples(st.just("MOVER"), numbers))
def test_a_store_request_reads_the_same_in_pydicom(message_id, sop_class, instance, prio, mover):
    encoded = command.encode_store_request(message_id, sop_class, instance, prio, mover)
    read = by_pydicom(encoded)
    assert read.CommandGroupLength == len(encoded) - 12
    assert (read.CommandField, read.MessageID, read.Priority) == (1, message_id, prio)
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (sop_class, instance)
    assert [element.tag for element in read] == sorted(element.tag for element in read)
    if mover:
        assert read.MoveOriginatorApplicationEntityTitle == mover[0]
        assert read.MoveOriginatorMessageID == mover[1]
    decoded = command.store_request(command.decode(encoded), 5, "1.2")
    assert (decoded.message_id, decoded.priority, decoded.move_originator) == (
        message_id,
        prio,
        mover,
    )


@settings(deadline=None)
@given(numbers, numbers, st.text(max_size=100))
def test_a_response_reads_the_same_in_pydicom(message_id, status, comment):
    request = command.decode(command.encode_store_request(message_id, CT, "1.2.3", 0, None))
    encoded = command.encode_response(request, Response(status, comment))
    read = by_pydicom(encoded)
    assert read.CommandGroupLength == len(encoded) - 12
    assert (read.CommandField, read.MessageIDBeingRespondedTo) == (0x8001, message_id)
    assert (read.Status, read.CommandDataSetType) == (status, 0x0101)
    assert len(read.get("ErrorComment", "")) <= 64
    assert [element.tag for element in read] == sorted(element.tag for element in read)
    assert command.response(command.decode(encoded)).status == status


def test_what_pydicom_writes_is_understood():
    written = Dataset()
    written.AffectedSOPClassUID = CT
    written.CommandField = 0x8001
    written.MessageIDBeingRespondedTo = 9
    written.CommandDataSetType = 0x0101
    written.Status = 0xA700
    written.ErrorComment = "full"
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = buffer.is_little_endian = True
    write_dataset(buffer, written)
    decoded = command.decode(buffer.getvalue())
    assert command.response(decoded) == Response(0xA700, "full")
    assert (decoded.responded_message_id, decoded.has_data_set) == (9, False)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_rubbish_is_a_violation_or_a_command_set(encoded):
    with contextlib.suppress(ProtocolViolation):
        decoded = command.decode(encoded)
        assert all(0 <= element <= 0xFFFF for element in decoded.elements)
        command.store_request(decoded, 1, "1.2")
