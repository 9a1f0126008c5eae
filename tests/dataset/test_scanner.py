"""What the scanner makes of data sets, whole, broken and hostile."""

import pickle
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dataset import Bulk, Limits, Scanner, rescan

from .writing import BIG, EXPLICIT, IMPLICIT, RLE, UNDEFINED, B, E, I, reassembled, scanned, stored

NAME = 0x00100010
STUDY_SEQUENCE = 0x00081110
PIXELS = 0x7FE00010
PRIVATE_SEQUENCE = 0x00091001


def nested(depth: int) -> bytes:
    content = E.element(NAME, "PN", "inmost")
    for _ in range(depth):
        content = E.sequence(STUDY_SEQUENCE, content)
    return content


def test_an_empty_data_set_is_walkable_with_nothing_in_it():
    scan = Scanner(EXPLICIT).finish()
    assert (scan.problem, scan.header, scan.bulk, scan.length, dict(scan.elements)) == (
        None, b"", (), 0, {},
    )  # fmt: skip


@pytest.mark.parametrize("writer", [E, I, B], ids=["explicit", "implicit", "big"])
def test_spans_say_where_each_element_is(writer):
    parts = [
        writer.element(0x00080060, "CS", "CT"),
        writer.sequence(STUDY_SEQUENCE, writer.element(NAME, "PN", "A"), b""),
        writer.sequence(0x00081115, writer.element(NAME, "PN", "A"), b"", defined=False),
        writer.element(0x00102000, "LO", ""),
        writer.element(PIXELS, "OW", b"P" * 100),
        writer.element(0xFFFCFFFC, "OB", b"\1\2"),
    ]
    data = b"".join(parts)
    scan = scanned(data, writer.transfer_syntax)
    assert scan.problem is None
    assert scan.bulk == (Bulk(data.index(b"PPP"), 100),)
    assert [span.vr for span in scan.spans] == ["CS", "SQ", "SQ", "LO", "OW", "OB"]
    ends = [sum(map(len, parts[: n + 1])) - (100 if n > 3 else 0) for n in range(len(parts))]
    assert [span.end for span in scan.spans] == ends
    assert [span.start for span in scan.spans] == [0, *ends[:-1]]
    assert scan.value(scan.elements[0x00080060]) == b"CT"
    undefined = scan.elements[0x00081115]
    assert undefined.end - undefined.value - undefined.length == 8  # its delimitation item
    assert scan.elements[PIXELS].length == 0


@pytest.mark.parametrize(
    ("transfer_syntax", "data", "kind", "reason"),
    [
        (EXPLICIT, E.element(NAME, "PN", "ABCD")[:-1], "truncated", "ends in an element"),
        (EXPLICIT, E.element(NAME, "PN", "ABCD")[:5], "truncated", "ends in an element"),
        (IMPLICIT, I.head(NAME, "PN", 10) + b"ABCD", "truncated", "ends in an element"),
        (EXPLICIT, E.head(PIXELS, "OW", 10) + b"ABCD", "truncated", "inside (7FE0,0010)"),
        (EXPLICIT, E.head(PIXELS, "OW", UNDEFINED - 1), "truncated", "inside (7FE0,0010)"),
        (RLE, E.encapsulated(b"ABCD")[:-8], "truncated", "inside (7FE0,0010)"),
        (RLE, E.encapsulated(b"ABCD")[:-9], "truncated", "inside (7FE0,0010)"),
        (EXPLICIT, E.sequence(STUDY_SEQUENCE, b"", defined=False)[:-8], "truncated", "inside"),
        (EXPLICIT, E.sequence(STUDY_SEQUENCE, nested(1))[:-1], "truncated", "inside"),
        (EXPLICIT, E.head(STUDY_SEQUENCE, "SQ", 8), "truncated", "inside (0008,1110)"),
        (EXPLICIT, E.element(NAME, "ZZ", "A"), "unwalkable", "(0010,0010) has an unknown VR"),
        (EXPLICIT, E.element(NAME, "pn", "A"), "unwalkable", "unknown VR"),
        (EXPLICIT, I.element(NAME, "PN", "AB"), "unwalkable", "unknown VR"),
        (EXPLICIT, E.element(0x00020010, "UI", "1.2"), "unwalkable", "(0002,0010)"),
        (EXPLICIT, E.element(NAME, "PN", "AB") + b"\0", "unwalkable", "1 zero bytes follow"),
        (EXPLICIT, E.element(NAME, "PN", "AB") + bytes(8), "unwalkable", "(0000,0000)"),
        (EXPLICIT, E.mark(0xE000, 0), "unwalkable", "(FFFE,E000)"),
        (EXPLICIT, E.mark(0xE00D, 0), "unwalkable", "(FFFE,E00D)"),
        (EXPLICIT, E.mark(0xE0DD, 0), "unwalkable", "(FFFE,E0DD)"),
        (EXPLICIT, E.item(b""), "unwalkable", "(FFFE,E000)"),
        (EXPLICIT, E.head(NAME, "UT", UNDEFINED), "unwalkable", "undefined length"),
        (IMPLICIT, I.head(NAME, "PN", UNDEFINED), "unwalkable", "undefined length"),
        (EXPLICIT, nested(65), "unwalkable", "nest deeper than 64"),
        (  # the item says less than its element
            EXPLICIT,
            E.head(STUDY_SEQUENCE, "SQ", 18) + E.mark(0xE000, 10) + E.element(NAME, "PN", "ABCD"),
            "unwalkable",
            "longer than what holds it",
        ),
        (  # the sequence says less than its item
            EXPLICIT,
            E.head(STUDY_SEQUENCE, "SQ", 8) + E.item(E.element(NAME, "PN", "AB")),
            "unwalkable",
            "longer than what holds it",
        ),
        (  # too short for the header of an element
            EXPLICIT,
            E.sequence(STUDY_SEQUENCE, b"\x10\0\x10\0PN"),
            "unwalkable",
            "inside the header",
        ),
        (  # too short for the header of an item
            EXPLICIT,
            E.head(STUDY_SEQUENCE, "SQ", 6) + E.item(b""),
            "unwalkable",
            "inside the header",
        ),
        (  # an item of undefined length is not closed where its sequence ends
            EXPLICIT,
            E.head(STUDY_SEQUENCE, "SQ", 8) + E.mark(0xE000, UNDEFINED) + E.element(NAME, "PN", ""),
            "unwalkable",
            "not closed",
        ),
        (  # a delimitation item in an item of defined length
            EXPLICIT,
            E.sequence(STUDY_SEQUENCE, E.mark(0xE00D, 0)),
            "unwalkable",
            "(FFFE,E00D)",
        ),
        (EXPLICIT, E.head(STUDY_SEQUENCE, "SQ", 4) + b"ABCD", "unwalkable", "inside the header"),
        (
            EXPLICIT,
            E.head(STUDY_SEQUENCE, "SQ", 10) + E.element(NAME, "PN", "AB"),
            "unwalkable",
            "where an item belongs",
        ),
        (
            RLE,
            E.head(PIXELS, "OB", UNDEFINED) + E.element(NAME, "PN", "AB") + bytes(8),
            "unwalkable",
            "something else than its fragments",
        ),
        (
            RLE,
            E.head(PIXELS, "OB", UNDEFINED) + E.mark(0xE000, UNDEFINED),
            "unwalkable",
            "something else than its fragments",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("good", [b"", E.element(0x00080060, "CS", "CT")], ids=["alone", "after"])
def test_each_problem_is_what_it_is_in_any_chunking(transfer_syntax, data, kind, reason, good):
    if transfer_syntax == IMPLICIT and good:
        good = I.element(0x00080060, "CS", "CT")
    data = good + data
    scan = scanned(data, transfer_syntax)
    assert scan.problem is not None
    assert scan.problem.kind == kind
    assert reason in scan.problem.reason
    assert not good or next(iter(scan.elements)) == 0x00080060
    assert scan.problem.offset >= len(good)
    rest = len(data) - scan.problem.offset
    assert scan.bulk == ((Bulk(scan.problem.offset, rest),) if rest else ())
    assert reassembled(scan, data) == data
    for chunk in (1, 3, 7):
        assert scanned(data, transfer_syntax, chunk) == scan


@pytest.mark.parametrize(
    ("transfer_syntax", "data", "bulk"),
    [
        (EXPLICIT, E.element(0x00420011, "OB", b"%PDF"), [4]),
        (EXPLICIT, E.number(0x54001010, "OW", "H", 1), [2]),
        (EXPLICIT, E.element(PIXELS, "OW", b""), []),
        (EXPLICIT, E.element(0x00091010, "OB", bytes(65536)), []),
        (EXPLICIT, E.element(0x00091010, "OB", bytes(65538)), [65538]),
        (EXPLICIT, E.element(0x00091010, "UN", bytes(65538)), [65538]),
        (IMPLICIT, I.element(0x00091010, "UN", bytes(65538)), [65538]),
        (EXPLICIT, E.sequence(STUDY_SEQUENCE, E.element(0x00400600, "UT", "x" * 70000)), [70000]),
        (EXPLICIT, E.sequence(0x00880200, E.element(PIXELS, "OB", b"ABCD"), defined=False), [4]),
        (EXPLICIT, E.sequence(STUDY_SEQUENCE, *[nested(3)] * 2000), []),
        (RLE, E.encapsulated(b"ABCD", b"EF"), [8 + 12 + 10 + 8]),
        (EXPLICIT, E.encapsulated(b"ABCD", tag=0x00091010, vr="OW"), [8 + 12 + 8]),
        (IMPLICIT, I.encapsulated(b"ABCD"), [8 + 12 + 8]),
        (BIG, B.element(PIXELS, "OW", b"ABCD"), [4]),
    ],
)
def test_bulk_is_pixels_documents_waveforms_and_what_is_longer_than_64_kib(
    transfer_syntax, data, bulk
):
    after = (I if transfer_syntax == IMPLICIT else B if transfer_syntax == BIG else E).element(
        0xFFFCFFFC, "OB", b"\1\2"
    )
    scan = scanned(data + after, transfer_syntax)
    assert scan.problem is None
    assert [value.length for value in scan.bulk] == bulk
    assert scan.elements[0xFFFCFFFC].length == 2
    assert reassembled(scan, data + after) == data + after
    for chunk in (4093, 65536):
        assert scanned(data + after, transfer_syntax, chunk) == scan


def test_sixty_four_nested_sequences_are_fine():
    assert scanned(nested(64)).problem is None


def test_the_items_of_un_are_implicit_whatever_is_around_them():
    inner = I.sequence(0x00081140, I.element(NAME, "PN", "A"), defined=False)
    scan = scanned(E.head(PRIVATE_SEQUENCE, "UN", UNDEFINED) + E.item(inner) + E.mark(0xE0DD, 0))
    assert scan.problem is None
    assert scan.elements[PRIVATE_SEQUENCE].vr == "UN"


def test_un_of_defined_length_and_private_implicit_elements_are_not_looked_into():
    assert scanned(E.element(PRIVATE_SEQUENCE, "UN", b"\xfe\xff\0\xe0\xff\0\0\0")).problem is None
    assert scanned(I.element(PRIVATE_SEQUENCE, "UN", b"not an item!"), IMPLICIT).problem is None


def test_of_duplicates_the_first_counts_and_all_bytes_stay():
    data = b"".join(E.element(NAME, "PN", name) for name in ("A^", "B^", "C^"))
    scan = scanned(data + E.element(0x00080060, "CS", "CT"))
    assert scan.problem is None
    assert scan.value(scan.elements[NAME]) == b"A^"
    assert [span.tag for span in scan.spans] == [NAME] * 3 + [0x00080060]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(header=100), "more than 100 bytes"),
        (Limits(elements=9), "more than 9 elements"),
        (Limits(bulk=3), "more than 3 bulk values"),
        (Limits(nesting=2), "deeper than 2"),
    ],
)
def test_what_costs_more_than_the_limits_is_unwalkable_at_the_same_byte_in_any_chunking(
    limits, reason
):
    data = b"".join(E.element(NAME + n, "LO", "value") for n in range(9))
    data += b"".join(E.element(PIXELS, "OB", b"ABCD") for _ in range(4)) + nested(3)
    if limits.bulk != 3:
        data = data.replace(E.element(PIXELS, "OB", b"ABCD"), b"")
    scan = scanned(data, limits=limits)
    assert scan.problem is not None
    assert scan.problem.kind == "unwalkable"
    assert reason in scan.problem.reason
    assert len(scan.header) <= limits.header
    assert reassembled(scan, data) == data
    for chunk in (1, 7, 64):
        assert scanned(data, chunk=chunk, limits=limits) == scan


def test_bytes_of_bulk_values_are_not_kept():
    megabyte = bytes(1 << 20)
    scanner = Scanner(EXPLICIT)
    scanner.feed(E.element(NAME, "PN", "A") + E.head(PIXELS, "OW", 64 << 20))
    tracemalloc.start()
    for _ in range(64):
        scanner.feed(megabyte)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    scan = scanner.finish()
    assert scan.problem is None
    assert scan.bulk == (Bulk(scan.length - (64 << 20), 64 << 20),)
    assert peak < 64 * 1024


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from(
                [
                    E.mark(0xE000, UNDEFINED), E.mark(0xE000, 12), E.mark(0xE00D, 0),
                    E.mark(0xE0DD, 0), E.head(STUDY_SEQUENCE, "SQ", UNDEFINED),
                    E.head(STUDY_SEQUENCE, "SQ", 20), E.head(PIXELS, "OB", UNDEFINED),
                    E.head(PIXELS, "OW", 12), E.element(NAME, "PN", "AB"),
                    E.head(PRIVATE_SEQUENCE, "UN", UNDEFINED), I.element(NAME, "PN", "AB"),
                    I.head(STUDY_SEQUENCE, "SQ", UNDEFINED), I.head(STUDY_SEQUENCE, "SQ", 30),
                ]
            ),
        ),
        max_size=12,
    ).map(b"".join),
    st.sampled_from([EXPLICIT, IMPLICIT, BIG]),
    st.integers(1, 9),
    st.sampled_from([Limits(), Limits(header=40, nesting=1, elements=2, bulk=1)]),
)  # fmt: skip
def test_no_bytes_make_it_raise_or_lose_one_or_depend_on_chunking(
    data, transfer_syntax, chunk, limits
):
    scan = scanned(data, transfer_syntax, limits=limits)
    assert scan.length == len(data)
    assert len(scan.header) <= limits.header
    assert reassembled(scan, data) == data
    assert scanned(data, transfer_syntax, chunk, limits=limits) == scan


@pytest.mark.parametrize(
    "data",
    [
        E.element(NAME, "PN", "A") + E.element(PIXELS, "OW", bytes(300_000)) + nested(3),
        E.element(NAME, "PN", "A") + E.encapsulated(*[bytes(30_000)] * 20) + nested(3),
        E.encapsulated(b"ABCD")[:-8],
        E.encapsulated(b"ABCD") + E.element(NAME, "ZZ", "A") + bytes(100),
        E.head(PIXELS, "OB", UNDEFINED) + E.mark(0xE000, UNDEFINED) + bytes(50),
        b"",
    ],
    ids=["native", "encapsulated", "cut off", "bad after bulk", "bad fragments", "empty"],
)
def test_a_rescan_from_the_file_gives_the_same_with_and_without_the_bulk_known(data, tmp_path):
    source = stored(data, tmp_path)
    scan = scanned(data)
    for known in (None, scan.bulk):
        assert rescan(source.path, source.offset, source.length, EXPLICIT, known) == scan


def test_a_rescan_of_a_file_that_is_too_short_fails(tmp_path):
    source = stored(E.element(NAME, "PN", "A"), tmp_path)
    with pytest.raises(OSError, match="ends before"):
        rescan(source.path, source.offset, source.length + 10, EXPLICIT)


def test_scans_cross_to_other_processes():
    scan = scanned(nested(2) + E.element(PIXELS, "OW", bytes(10)))
    scan.elements  # noqa: B018 - computed before it is sent
    copy = pickle.loads(pickle.dumps(scan))
    assert copy == scan
    assert copy.elements == scan.elements


def test_ambiguous_and_repeating_elements_of_implicit_vr_get_one_vr():
    tags = [0x00280106, 0x60003000, 0x60000010, 0x00090010, 0x00091001, 0x00100000, 0x00189999]
    data = b"".join(I.element(tag, "", struct.pack("<H", 1)) for tag in sorted(tags))
    scan = scanned(data, IMPLICIT)
    assert [scan.elements[tag].vr for tag in tags] == ["US", "OW", "US", "LO", "UN", "UL", "UN"]
