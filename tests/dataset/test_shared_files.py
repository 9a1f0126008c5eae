"""Every shared file through the scanner, pydicom and the splicer, and back byte for byte."""

import shutil
import subprocess
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from router.dataset import (
    BulkValue,
    FileRange,
    Scan,
    open_dataset,
    open_part10,
    rescan,
    segments,
)

from .writing import BIG, IMPLICIT, reassembled, scanned

DEFLATED = "1.2.840.10008.1.2.1.99"
# What of the collection of broken files is broken in its data set, not only in its meanings.
BROKEN = {
    "TC0265_depth_100.dcm": "unwalkable",
    "TC0277_missing_delim.dcm": "unwalkable",
    "TC0279_stray_seq_delim.dcm": "unwalkable",
    "TC0357_stray_item_tag.dcm": "unwalkable",
    "TC0359_stray_item_delim.dcm": "unwalkable",
    "TC0361_stray_seq_delim.dcm": "unwalkable",
    "TC0363_tag_order_violation.dcm": "unwalkable",
    "TC0405_latin1_utf8_payload.dcm": "unwalkable",
    "TC0445_duplicate_tags.dcm": "unwalkable",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "truncated",
}

# pydicom warns of character sets and of values that do not fit; here they are only to come back.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module", params=["wg04", "pydicom_data", "dcmqi", "mr_series", "malformed"])
def files(request, data, tmp_path_factory) -> list[tuple[FileRange, str]]:
    """The data sets of one folder's DICOM files, with their transfer syntax."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    found = []
    for path in sorted((data / request.param).rglob("*"))[: 25 if "mr_" in request.param else None]:
        if path.suffix == ".zst":
            if shutil.which("zstd") is None:
                continue
            target = unpacked / f"{len(found)}-{path.stem}"
            subprocess.run(["zstd", "-qd", path, "-o", target], check=True)
            path = target
        if not path.is_file():
            continue
        try:
            part10 = open_part10(path)
        except ValueError:
            continue
        if part10.transfer_syntax != DEFLATED:
            source = FileRange(str(path), part10.dataset_offset, part10.length)
            found.append((source, part10.transfer_syntax))
    assert found or request.param == "dcmqi"
    return found


def test_every_chunking_and_rescan_gives_the_same_scan_and_no_byte_is_lost(files):
    for source, transfer_syntax in files:
        content = Path(source.path).read_bytes()[source.offset :]
        scan = scanned(content, transfer_syntax)
        name = Path(source.path).name
        assert (scan.problem and scan.problem.kind) == BROKEN.get(name), name
        assert reassembled(scan, content) == content, name
        assert scanned(content, transfer_syntax, 4096) == scan, name
        if len(content) < 100_000:
            assert scanned(content, transfer_syntax, 7) == scan, name
        for bulk in (None, scan.bulk):
            again = rescan(source.path, source.offset, source.length, transfer_syntax, bulk)
            assert again == scan, name


def test_what_is_only_looked_at_leaves_as_it_came_and_reads_as_pydicom_reads_it(files):
    for source, transfer_syntax in files:
        scan = rescan(source.path, source.offset, source.length, transfer_syntax)
        if scan.problem is not None:
            continue
        dataset = open_dataset(scan)
        assert segments(dataset, scan, source) == [source], source.path
        content = Path(source.path).read_bytes()[source.offset :]
        implicit, little = transfer_syntax == IMPLICIT, transfer_syntax != BIG
        theirs = read_dataset(BytesIO(content), implicit, little)
        for differing in differences(dataset, theirs, scan):
            pytest.fail(f"{Path(source.path).name}: {differing}")
        assert segments(dataset, scan, source) == [source], source.path


def differences(ours: Dataset, theirs: Dataset, scan: Scan) -> Iterator[str]:
    """Look at every element of both."""
    if theirs.keys() != ours.keys():
        yield "the elements"
    for tag in ours.keys():  # noqa: SIM118 - iterating a data set converts
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine, other = ours[tag], theirs[tag]
        if sum(span.tag == tag for span in scan.spans) > 1:
            continue  # of duplicates we show the first, pydicom the last
        if mine.VR != other.VR:
            yield f"{tag} is {mine.VR}, not {other.VR}"
        elif mine.VR == "SQ":
            if len(mine.value) != len(other.value):
                yield f"{tag} has {len(mine.value)} items"
            for item, same in zip(mine.value, other.value, strict=False):
                yield from differences(item, same, scan)
        elif isinstance(mine.value, BulkValue):
            length = mine.value.reference.length - 8 * mine.value.encapsulated
            if length != len(other.value):
                yield f"{tag} has {length} bytes"
        elif mine.value != other.value:
            yield f"{tag} has another value"
