"""Conditions on real files: their character sets, names, numbers, private elements, sequences."""

from pathlib import Path

import pytest
from pydicom.data import get_charset_files

from router.dataset import Scan, open_part10, rescan
from router.routing import Routes
from tests.routing.helpers import RECEIVED, association, read_config

OVERLAYS = "pydicom_data/MR-SIEMENS-DICOM-WithOverlays.dcm"
ENHANCED = "pydicom_data/emri_small.dcm"
SEGMENTS = "pydicom_data/liver.dcm"
SEGMENTS_BIG = "pydicom_data/liver_expb.dcm"
MAP = "pydicom_data/parametric_map_float.dcm"
MEASURES = "SharedFunctionalGroupsSequence.PixelMeasuresSequence"
PHILIPS = "mr_series/MR.1.3.46.670589.11.38317.5.0.4476.2014042516045720718"


def scan(path: Path) -> Scan:
    part10 = open_part10(path)
    found = rescan(str(path), part10.dataset_offset, part10.length, part10.transfer_syntax)
    assert found.problem is None
    return found


def applies(folder: Path, when: str, path: Path) -> bool:
    config = read_config(folder, f"routes: [{{name: r, when: {{{when}}}, to: [pacs]}}]")
    return bool(Routes(config).match(association(), scan(path), RECEIVED))


@pytest.mark.parametrize(
    ("name", "pattern", "other"),
    [
        ("chrArab", "قباني*", "لنزار*"),
        ("chrFren", "BUC^JÉRÔME", "buc^jerome"),
        ("chrFren", "Buc^Je\u0301ro\u0302me", "Buc^Jerome\u0301"),  # accents as characters
        ("chrGerm", "*RÜDIGER", "*RUDIGER"),
        ("chrGreek", "ΔΙΟΝΥΣΙΟΣ", "Διονυσιο"),
        ("chrH31", "山田^*", "山^*"),
        ("chrH31", "yamada^tarou", "tarou"),
        ("chrH31", "やまだ^たろう", "やまだ"),
        ("chrH31", "Yamada^Tarou=山田^太郎=やまだ^たろう^^", "Yamada^Tarou=山田^太郎"),
        ("chrH32", "ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
        ("chrHbrw", "שרון^*", "*שרון"),
        ("chrI2", "洪^吉洞", "洪吉洞"),
        ("chrKoreanMulti", "김희중", "김희"),
        ("chrRuss", "люк*", "лук*"),
        ("chrX1", "王^小東", "王^小东"),
        ("chrX2", "王^小东", "王^小東"),
    ],
)
def test_text_matches_in_the_character_set_it_came_in(tmp_path, name, pattern, other):
    [path] = [Path(each) for each in get_charset_files(f"{name}.dcm")]
    assert applies(tmp_path, f'PatientName: "{pattern}"', path)
    assert not applies(tmp_path, f'PatientName: "{other}"', path)
    (tmp_path / "names.csv").write_text(f"name\n{pattern.replace('*', 'x')}\nnobody\n")
    if "*" not in pattern:
        assert applies(tmp_path, "PatientName: {file: names.csv, column: name}", path)


@pytest.mark.parametrize(
    ("file", "when", "expected"),
    [
        (OVERLAYS, "ImageType: NORM", True),
        (OVERLAYS, "ImageType: LOCALIZER", False),
        (OVERLAYS, "PixelSpacing: '< 0.73'", True),
        (OVERLAYS, "PixelSpacing: '< 0.7'", False),
        (OVERLAYS, "Rows: [256, 484]", True),
        (OVERLAYS, "StudyDate: 20051101-20051231", True),
        (OVERLAYS, "StudyTime: 13:00-14", True),
        (OVERLAYS, "StudyTime: '< 13:26'", False),
        (OVERLAYS, "SOPClassUID: MR Image Storage", True),
        (OVERLAYS, "'(0029,09,SIEMENS MEDCOM OOG)': VD20*", True),
        (OVERLAYS, "'(0029,34,SIEMENS MEDCOM HEADER)': 'db to dicom'", True),
        (OVERLAYS, "'(0029,09,SIEMENS MEDCOM HEADER)': VD20*", False),
        (OVERLAYS, "'(0029,32,SIEMENS MEDCOM HEADER)': '> 468511'", True),
        (OVERLAYS, "'(0029,32,SIEMENS MEDCOM HEADER)': '> 468512'", False),
        (OVERLAYS, "PixelData: {exists: true}", True),
        (PHILIPS, "'(2001,0A,Philips Imaging DD 001)': '<= 7'", True),
        (PHILIPS, "'(2001,0B,Philips Imaging DD 001)': transversal", True),
        (PHILIPS, "StudyDescription: 'Hanke_Stadler*', not: {ImageType: DERIVED}", True),
        (ENHANCED, "AcquisitionDateTime: 2012", True),
        (ENHANCED, "AcquisitionDateTime: '> 20120820120803'", True),
        (ENHANCED, "AcquisitionDateTime: '>= 20120821'", False),
        (MAP, f"{MEASURES}.SpacingBetweenSlices: '<= 5'", True),
        *((file, f"{MEASURES}.PixelSpacing: '> 0.5'", True) for file in (SEGMENTS, SEGMENTS_BIG)),
        *((file, f"{MEASURES}.PixelSpacing: '> 1'", False) for file in (SEGMENTS, SEGMENTS_BIG)),
        *((file, "SegmentSequence.SegmentNumber: 1", True) for file in (SEGMENTS, SEGMENTS_BIG)),
        *((file, "'**.SegmentNumber': 1", True) for file in (SEGMENTS, SEGMENTS_BIG)),
        (SEGMENTS, "'**.PixelSpacing': '> 0.5'", True),
        (MAP, "'**.RealWorldValueSlope': 1", True),
        (MAP, "'**.RealWorldValueSlope': '> 1'", False),
        (SEGMENTS, "PixelSpacing: {exists: false}", True),
        (SEGMENTS, "'**.PixelSpacing': {exists: false}", False),
    ],
)
def test_values_are_compared_as_what_they_are(tmp_path, data, file, when, expected):
    assert applies(tmp_path, when, data / file) is expected


def test_only_what_is_asked_about_is_decoded(tmp_path, data, monkeypatch):
    config = read_config(
        tmp_path,
        "routes:\n"
        "  - {name: a, when: {Modality: US, StudyDescription: '*x*'}, to: [pacs]}\n"
        "  - {name: b, when: {Modality: MR}, to: [pacs]}\n",
    )
    found = scan(data / ENHANCED)
    asked = []
    original = Scan.value

    def value(self: Scan, span: object) -> bytes:
        asked.append(span and span.tag)  # type: ignore[attr-defined]
        return original(self, span)  # type: ignore[arg-type]

    monkeypatch.setattr(Scan, "value", value)
    assert [match.route.name for match in Routes(config).match(association(), found, RECEIVED)]
    assert 0x00080060 in asked
    assert set(asked) <= {0x00080060, 0x00280103, 0x00080005, None}
