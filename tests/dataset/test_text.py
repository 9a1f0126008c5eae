"""What rules are given to compare: values as text, whatever they are written as."""

import struct

import pytest

from router.dataset import exists, first, parse_path, values

from .writing import BIG, EXPLICIT, IMPLICIT, B, E, I, scanned

CHARACTER_SET = 0x00080005
PRIVATE = "(0029,10,SIEMENS CSA HEADER)"


def text(data: bytes, path: str, transfer_syntax: str = EXPLICIT, assumed: str | None = None):
    return values(scanned(data, transfer_syntax).assuming(assumed), parse_path(path))


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (0x00080060, "CS", b"CT", ("CT",)),
        (0x00080008, "CS", b"ORIGINAL\\ PRIMARY \\AXIAL ", ("ORIGINAL", "PRIMARY", "AXIAL")),
        (0x00080008, "CS", b"A\\\\B ", ("A", "", "B")),
        (0x00080008, "CS", b"  ", ()),
        (0x00080008, "CS", b"", ()),
        (0x00080016, "UI", b"1.2.840\0", ("1.2.840",)),
        (0x00100010, "PN", b"Doe^John^ =X ", ("Doe^John^ =X",)),
        (0x00180050, "DS", b" 1.50 ", ("1.50",)),
        (0x00104000, "LT", b"  one\\two ", ("  one\\two",)),
        (0x00081190, "UR", b"http://a\\b ", ("http://a\\b",)),
        (0x00280010, "US", struct.pack("<H", 512), ("512",)),
        (0x00280106, "SS", struct.pack("<h", -5), ("-5",)),
        (0x00280009, "AT", struct.pack("<HH", 0x18, 0x1063), ("(0018,1063)",)),
        (0x00189073, "FD", struct.pack("<2d", 0.1, -2), ("0.1", "-2.0")),
        (0x00189074, "FL", struct.pack("<2f", 0.1, 3.4028235e38), ("0.1", "3.4028235e+38")),
        (0x00189219, "SS", b"", ()),
        (0x00280010, "US", b"\1\2\3", ("513",)),
        (0x7FE00010, "OW", b"ABCD", ()),
        (0x00091010, "OB", b"ABCD", ()),
        (0x00091010, "UN", b"private ", ("private",)),
        (0x00091010, "UN", b"\1\2\3\4", ()),
        (0x00080060, "UN", b"CT", ("CT",)),
        (0x00280010, "UN", struct.pack("<H", 512), ("512",)),
    ],
)
def test_values_are_read_as_text(tag, vr, value, expected):
    path = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    assert text(E.element(tag, vr, value), path) == expected


def test_an_absent_element_is_none_and_an_empty_one_exists():
    scan = scanned(E.element(0x00080060, "CS", ""))
    assert values(scan, parse_path("PatientID")) is None
    assert not exists(scan, parse_path("PatientID"))
    assert values(scan, parse_path("Modality")) == ()
    assert exists(scan, parse_path("Modality"))
    assert first(scan, parse_path("PatientID")) == first(scan, parse_path("Modality")) == ""


def test_numbers_of_big_endian_and_implicit_data_sets():
    assert text(B.number(0x00280010, "US", "H", 512), "Rows", BIG) == ("512",)
    assert text(B.number(0x00280009, "AT", "H", 0x18, 0x1063), "FrameIncrementPointer", BIG) == (
        "(0018,1063)",
    )
    assert text(I.number(0x00280010, "US", "H", 512), "Rows", IMPLICIT) == ("512",)


@pytest.mark.parametrize(("representation", "expected"), [(0, "65535"), (1, "-1")])
def test_what_may_be_us_or_ss_follows_the_pixel_representation(representation, expected):
    data = I.number(0x00280103, "US", "H", representation)
    data += I.number(0x00280106, "US", "H", 0xFFFF)
    assert text(data, "SmallestImagePixelValue", IMPLICIT) == (expected,)
    nested = I.sequence(0x00283000, I.number(0x00283002, "US", "H", 0xFFFF))
    data = I.number(0x00280103, "US", "H", representation) + nested
    assert text(data, "ModalityLUTSequence.LUTDescriptor", IMPLICIT) == (expected,)


@pytest.mark.parametrize(
    ("character_set", "value", "expected"),
    [
        ("", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        ("ISO_IR 192", "Wang^小东".encode(), "Wang^小东"),
        ("ISO_IR 192 ", "Äneas".encode(), "Äneas"),
        ("ISO-IR 192", "Äneas".encode(), "Äneas"),
        ("GB18030", "Wang^小东".encode("gb18030"), "Wang^小东"),
        ("GB18030\\ISO 2022 IR 87", "Wang^小东".encode("gb18030"), "Wang^小东"),
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
        ("ISO_IR 999", b"J\xe9r\xf4me", "Jérôme"),
        ("NONSENSE", b"J\xe9r\xf4me", "Jérôme"),
        ("ISO_IR 192", b"J\xe9r", "J\ufffdr"),
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        (
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        ),
        (
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
            "Hong^Gildong=洪^吉洞",
        ),
        ("\\ISO 2022 IR 87", b"A\x1b%X\xe9", "A\x1b%X\xe9"),
    ],
)
def test_names_are_decoded_by_the_data_sets_character_set(character_set, value, expected):
    data = E.element(CHARACTER_SET, "CS", character_set)
    data += E.element(0x00100010, "PN", value + b" " * (len(value) % 2))
    assert text(data, "PatientName") == (expected,)


def test_a_double_byte_character_with_a_backslash_in_it_is_not_split():
    value = "許".encode("gbk")  # 0xD4 0x53; what follows ends in 0x5C
    data = E.element(CHARACTER_SET, "CS", "GBK ") + E.element(0x00100010, "PN", b"\x90\x5c" + value)
    assert text(data, "PatientName") == (b"\x90\x5c".decode("gbk") + "許",)


def test_the_assumed_character_set_counts_only_where_there_is_none():
    name = E.element(0x00100010, "PN", "Äs".encode() + b" ")
    assert text(name, "PatientName", assumed="ISO_IR 192") == ("Äs",)
    declared = E.element(CHARACTER_SET, "CS", "ISO_IR 100") + name
    assert text(declared, "PatientName", assumed="ISO_IR 192") == ("Ã\x84s",)


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("writer", [E, I, B], ids=["explicit", "implicit", "big"])
def test_all_items_of_sequences_are_searched_and_inherit_the_character_set(writer, defined):
    steps = [
        writer.element(0x00400009, "SH", "é"),
        writer.element(CHARACTER_SET, "CS", "ISO_IR 192")
        + writer.element(0x00400009, "SH", "é".encode()),
        writer.element(0x00400007, "LO", "no step"),
        writer.element(0x7FE00010, "OW", bytes(20)) + writer.element(0xFFFCFFFC, "OB", b"\0\0"),
        writer.element(0x00400009, "SH", ""),
    ]
    data = writer.element(CHARACTER_SET, "CS", "ISO_IR 100")
    data += writer.sequence(0x00400275, *steps, defined=defined)
    path = "RequestAttributesSequence.ScheduledProcedureStepID"
    assert text(data, path, writer.transfer_syntax) == ("é", "é")
    assert text(data, "RequestAttributesSequence", writer.transfer_syntax) == ()
    missing = "RequestAttributesSequence.ReferencedStudySequence.StudyDate"
    assert text(data, missing, writer.transfer_syntax) is None


@pytest.mark.parametrize("writer", [E, I, B], ids=["explicit", "implicit", "big"])
def test_a_private_element_is_found_in_whichever_block_its_creator_has(writer):
    data = (
        writer.element(0x00290010, "LO", "SOMEBODY ELSE")
        + writer.element(0x002900E0, "LO", "SIEMENS CSA HEADER")
        + writer.element(0x00291010, "LO", "theirs")
        + writer.element(0x0029E010, "LO", "ours")
    )
    assert text(data, PRIVATE, writer.transfer_syntax) in (("ours",), ())
    assert exists(scanned(data, writer.transfer_syntax), parse_path(PRIVATE))
    assert text(data, "(0029,10,NOBODY)", writer.transfer_syntax) is None
    assert text(data, "(0029,1010)", writer.transfer_syntax) == ("theirs",)


def test_implicit_private_elements_follow_pydicoms_private_dictionary():
    data = I.element(0x00190010, "", "SIEMENS MR HEADER") + I.element(0x0019100C, "", "1000")
    assert text(data, "(0019,0C,SIEMENS MR HEADER)", IMPLICIT) == ("1000",)


def test_paths_go_through_un_sequences():
    inner = I.element(0x00400009, "", "STEP")
    data = E.sequence(0x00400275, defined=False, vr="UN")[:-8] + I.item(inner) + I.mark(0xE0DD, 0)
    assert text(data, "RequestAttributesSequence.ScheduledProcedureStepID") == ("STEP",)
