"""Where fuzzing begins: valid input of each kind, made here or by the tests of its part."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from router.testing import encode
from router.wire import command
from tests.conftest import REPOSITORY
from tests.dataset.writing import B, E, I
from tests.intake.station import data_set
from tests.routing.helpers import BEGIN, dataset, scan_of
from tests.wire.peers import (
    ABORT,
    CT,
    ECHO,
    FIND,
    IMPLICIT,
    RELEASE_REQUEST,
    VERIFICATION,
    associate_request,
    item,
    pdu,
    pdv,
    store_command,
    store_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.dataset import Scan

SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.5",
)
CHARACTER_SETS = ("ISO_IR 100", "ISO_IR 192", "GB18030", "ISO 2022 IR 87", "ISO 2022 IR 149")

# Every way to ask, of elements of many VRs, at the top and in sequences.
ROUTES = r"""
routes:
  - {name: a, to: [pacs], when: {Modality: [CT, MR], StudyDescription: "*RESEARCH*"}}
  - {name: b, to: [pacs], when: {SliceThickness: "<= 1.5", Rows: "> 0"}}
  - {name: c, to: [pacs], when: {StudyDate: "20200101-20201231", StudyTime: "> 1200"}}
  - {name: d, to: [pacs], when: {PatientName: "Doe^J*", PatientID: {exists: true}}}
  - {name: e, to: [pacs], when: {not: {RequestAttributesSequence.ScheduledProcedureStepID: "1*"}}}
  - {name: f, to: [pacs], when: {"(0009,10,ACME)": "*", SOPClassUID: CT Image Storage}}
  - {name: g, to: [pacs], when: {any: [{ImageType: "*LOCALIZER*"}, {PatientAge: "< 018Y"}]}}
  - {name: h, to: [pacs], when: {"(0018,0050)": "1-2", AcquisitionDateTime: "> 2020"}}
  - {name: i, to: [pacs], when: {SmallestImagePixelValue: "< 0", PixelData: {exists: true}}}
  - {name: j, to: [pacs], when: otherwise}
"""


def stream(*parts: bytes) -> bytes:
    """For the reader: how it is cut, then what is read."""
    return b"\x05" + b"".join(parts)


def requests() -> list[bytes]:
    """Whole associations, as the requestor says them."""
    contexts = [(CT, [IMPLICIT]), (VERIFICATION, [IMPLICIT]), (FIND, [IMPLICIT])]
    query = command.with_group_length(
        [
            command.text_element(0x0002, FIND, "\0"),
            command.number_element(0x0100, 0x0020),
            command.number_element(0x0110, 3),
            command.number_element(0x0700, 0),
            command.number_element(0x0800, 1),
        ]
    )
    find = pdu(4, pdv(query, 3, 5) + pdv(b"\x08\0\x52\0\4\0\0\0STUD", 2, 5))
    cancel = pdu(
        4,
        pdv(
            command.with_group_length(
                [
                    command.number_element(e, v)
                    for e, v in ((0x100, 0xFFF), (0x120, 3), (0x800, 0x101))
                ]
            ),
            3,
            5,
        ),
    )
    extra = (
        item(0x53, b"\0\1\0\1")
        + item(0x54, b"\0\x19" + CT.encode() + b"\1\1")
        + item(0x55, b"VERSION_1")
        + item(0x56, b"\0\x19" + CT.encode() + b"\0\1\0\0\0\0")
        + item(0x58, b"\2\0\0\4user\0\4pass")
    )
    return [
        associate_request(contexts) + ECHO + RELEASE_REQUEST,
        associate_request(contexts, extra=extra) + store_message(b"0123456789") + RELEASE_REQUEST,
        associate_request(contexts, maximum_pdu=0) + find + cancel + RELEASE_REQUEST,
        associate_request(contexts, maximum_pdu=None) + store_message(bytes(9000)) * 3 + ABORT,
    ]


def data_sets() -> list[bytes]:
    """One of each transfer syntax, its number in `SYNTAXES` before it."""
    found = []
    for number, writer in enumerate((E, I, B)):
        content = (
            writer.element(0x00080005, "CS", "ISO_IR 100")
            + writer.element(0x00080016, "UI", CT)
            + writer.element(0x00080020, "DA", "20200101")
            + writer.element(0x00080060, "CS", "CT")
            + writer.sequence(0x00081110, writer.element(0x00100010, "PN", "A"), b"")
            + writer.element(0x00090010, "LO", "ACME")
            + writer.element(0x00091001, "UN", b"12")
            + writer.element(0x00100010, "PN", "Doe^John=a=b")
            + writer.element(0x00100020, "LO", "4711")
            + writer.element(0x00180050, "DS", "1.5")
            + writer.element(0x00280010, "US", b"\1\0")
            + writer.sequence(0x00400275, writer.element(0x00400009, "SH", "1"), b"", defined=False)
            + writer.element(0x7FE00010, "OW", b"P" * 100)
        )
        found.append(bytes([number]) + content)
    encapsulated = E.element(0x00100010, "PN", "A") + E.encapsulated(b"ABCD")
    return [*found, b"\3" + encapsulated, b"\0" + data_set(), b"\0" + encode(dataset())]


def configurations() -> list[bytes]:
    return [
        (REPOSITORY / "config.example.yaml").read_bytes(),
        (BEGIN + ROUTES).encode(),
        b"spool: {directory: ./spool}\nlisteners: {a: {ae_title: A, port: 0}}\nroutes: []\n",
        b"a: &x {b: 1}\nc: *x\nd: {<<: *x}\ninclude: [x.yaml]\ne: !env NAME\n",
    ]


def whens() -> list[bytes]:
    lines = [line.partition("when: ")[2].removesuffix("}") for line in ROUTES.splitlines()]
    return [line.encode() for line in lines if len(line) > 1]


@functools.cache
def scan() -> Scan:
    return scan_of(dataset(StudyDescription="A RESEARCH study", SliceThickness="1.5", Rows=512))


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "reader": lambda: [
        stream(*(said[int.from_bytes(said[2:6]) + 6 :] for said in requests())),
        stream(pdu(4, pdv(store_command(), 1)), pdu(4, pdv(b"", 3) + pdv(b"", 2))),
    ],
    "commands": lambda: [store_command(), command.encode_echo_request(7, VERIFICATION)],
    "served": requests,
    "scanner": data_sets,
    "matching": data_sets,
    "conditions": whens,
    "config": configurations,
}
