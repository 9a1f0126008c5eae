"""DICOM files, read and written by us and by pydicom."""

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from router.dataset import Part10, encode_file_meta, open_part10
from router.dataset.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

from .writing import EXPLICIT, E

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_pydicom_reads_what_we_write():
    meta = encode_file_meta(CT, "1.2.3", EXPLICIT, "SENDER", "ROUTER1", "ARCHIVE")
    dataset = pydicom.dcmread(BytesIO(meta + E.element(0x00080060, "CS", "CT")))
    assert dataset.Modality == "CT"
    meta = dataset.file_meta
    assert meta.MediaStorageSOPClassUID == CT
    assert meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert meta.TransferSyntaxUID == EXPLICIT
    assert (meta.ImplementationClassUID, meta.ImplementationVersionName) == (
        IMPLEMENTATION_CLASS_UID,
        IMPLEMENTATION_VERSION_NAME,
    )
    assert (
        meta.SourceApplicationEntityTitle,
        meta.SendingApplicationEntityTitle,
        meta.ReceivingApplicationEntityTitle,
    ) == ("SENDER", "ROUTER1", "ARCHIVE")
    pydicom.dataset.validate_file_meta(meta, enforce_standard=True)
    assert meta.FileMetaInformationGroupLength == len(encode_file_meta(
        CT, "1.2.3", EXPLICIT, "SENDER", "ROUTER1", "ARCHIVE")) - 144  # fmt: skip


def test_we_read_what_we_write(tmp_path):
    meta = encode_file_meta(CT, "1.2.3", EXPLICIT)
    path = tmp_path / "file.dcm"
    path.write_bytes(meta + E.element(0x00080060, "CS", "CT"))
    assert open_part10(path) == Part10(CT, "1.2.3", EXPLICIT, len(meta), 10)


def test_we_read_what_pydicom_writes(tmp_path):
    dataset = Dataset()
    dataset.Modality = "CT"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = CT
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.file_meta.TransferSyntaxUID = EXPLICIT
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    dataset.file_meta.PrivateInformation = bytes(1000)
    dataset.save_as(tmp_path / "file.dcm", enforce_file_format=True)
    found = open_part10(tmp_path / "file.dcm")
    assert (found.sop_class_uid, found.transfer_syntax, found.length) == (CT, EXPLICIT, 10)


def test_the_group_length_is_not_relied_on(tmp_path):
    meta = bytearray(encode_file_meta(CT, "1.2.3", EXPLICIT))
    meta[140:144] = b"\xff\xff\0\0"
    (tmp_path / "file.dcm").write_bytes(bytes(meta) + E.element(0x00080060, "CS", "CT"))
    assert open_part10(tmp_path / "file.dcm").length == 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no DICM"),
        (bytes(128), "no DICM"),
        (b"DICM" + bytes(200), "no DICM"),
        (bytes(128) + b"DICM", "names no transfer syntax"),
        (encode_file_meta(CT, "1.2.3", ""), "names no transfer syntax"),
        (encode_file_meta(CT, "1.2.3", EXPLICIT)[:-5], "cut off or too long"),
        (encode_file_meta(CT, "1.2.3", EXPLICIT)[:150], "cut off or too long"),
    ],
)
def test_what_is_no_dicom_file_is_refused(content, message, tmp_path):
    path = tmp_path / "file.dcm"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        open_part10(path)
