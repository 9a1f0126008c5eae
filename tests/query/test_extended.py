"""SOP Class Extended Negotiation: what is agreed, and that queries are answered by it."""

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from tests.story.peers import RunningRouter, until
from tests.story.sending import generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  vna: {{type: folder, directory: ./vna, index: true}}
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {nobody}}}
routes:
  - {{name: keep, to: [vna]}}
query_retrieve:
  - name: own
    listener: main
    upstreams: [vna]
    services: [find, move, get]
    accept: {{calling_ae_titles: [OWN]}}
  - name: both
    listener: main
    upstreams: [vna, pacs]
    services: [find, move, get, worklist]
    accept: {{calling_ae_titles: [BOTH]}}
"""
FIND, MOVE, GET = (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
)
WORKLIST = ModalityWorklistInformationFind


@pytest.fixture(scope="module")
def router(tmp_path_factory, free_port):
    directory = tmp_path_factory.mktemp("extended")
    running = RunningRouter(directory, CONFIG.format(nobody=free_port())).start()
    night = {"StudyDate": "20240102", "StudyTime": "003000", "TimezoneOffsetFromUTC": "+0100"}
    night["AcquisitionDateTime"] = "20240102003100"
    generate(directory / "night", 1, 64, PatientID="NIGHT", **night)
    generate(directory / "day", 1, 64, PatientID="DAY", StudyDate="20240102", StudyTime="120000")
    target = f"ROUTER@127.0.0.1:{running.port('main')}"
    running.command("send", target, str(directory / "night"), str(directory / "day"), check=True)
    until(lambda: len(list((directory / "vna").rglob("*.dcm"))) == 2, "not written")
    until(
        lambda: (
            not any(each["queued"] for each in running.ask("status")["summary"]["destinations"])
        ),
        "not delivered",
    )
    yield running
    running.close()


@pytest.fixture
def associated(router):
    """Associate for one SOP class, asking for these bytes; and what was answered for it."""
    opened = []

    def associate(sop_class, asked, calling="OWN"):
        entity = AE(ae_title=calling)
        entity.add_requested_context(sop_class)
        items = []
        if asked is not None:
            item = SOPClassExtendedNegotiation()
            item.sop_class_uid = sop_class
            item.service_class_application_information = asked
            items.append(item)
        association = entity.associate(
            "127.0.0.1", router.port("main"), ae_title="ROUTER", ext_neg=items
        )
        assert association.is_established
        opened.append(association)
        answered = association.acceptor.sop_class_extended
        return association, answered.get(sop_class)

    yield associate
    for association in opened:
        association.release()


@pytest.mark.parametrize(
    ("calling", "sop_class", "asked", "answered"),
    [
        ("OWN", FIND, b"\1\1\1\1\1\1\1", b"\1\1\0\1\0\0\0"),
        ("OWN", FIND, b"\1\1\1", b"\1\1\0"),
        ("OWN", FIND, b"\1\0\0\0", b"\1\0\0\0"),
        ("OWN", FIND, b"\0\1", b"\0\1"),
        ("OWN", MOVE, b"\1", b"\1"),
        ("OWN", GET, b"\1\1", b"\1\0"),
        ("OWN", FIND, None, None),
        ("BOTH", FIND, b"\1\1\1\1", b"\0\0\0\0"),  # whoever else is asked may do otherwise
        ("BOTH", MOVE, b"\1", b"\0"),
        ("BOTH", WORKLIST, b"\1\1\1\1", b"\1\1\0\0"),
    ],
)
def test_what_is_agreed_is_what_is_done(associated, calling, sop_class, asked, answered):
    _, answer = associated(sop_class, asked, calling)
    assert answer == answered


def found(association, level="STUDY", **keys) -> list[Dataset]:
    query = Dataset()
    query.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    *matches, (last, _) = association.send_c_find(query, FIND)
    assert last.Status == 0
    return sorted((match for _, match in matches), key=lambda match: match.PatientID)


def patients(association, **keys) -> list[str]:
    return [match.PatientID for match in found(association, PatientID="", **keys)]


def test_a_range_of_dates_and_times_is_one_where_it_was_agreed(associated):
    ranges = {"StudyDate": "20240101-20240103", "StudyTime": "1000-1800"}
    together, _ = associated(FIND, b"\1\1")
    assert patients(together, **ranges) == ["DAY", "NIGHT"]
    for asked in (b"\1\0", b"\1", None):
        apart, _ = associated(FIND, asked)
        assert patients(apart, **ranges) == ["DAY"]


def test_answers_are_in_the_time_zone_of_the_query_where_it_was_agreed(associated):
    keys = {"StudyDate": "20240101", "StudyTime": "", "TimezoneOffsetFromUTC": "+0000"}
    adjusted, _ = associated(FIND, b"\1\1\0\1")
    (match,) = found(adjusted, PatientID="", **keys)
    assert (match.PatientID, match.TimezoneOffsetFromUTC) == ("NIGHT", "+0000")
    assert (match.StudyDate, match.StudyTime[:6]) == ("20240101", "233000")
    (image,) = found(adjusted, "IMAGE", PatientID="", AcquisitionDateTime="", **keys)
    assert image.AcquisitionDateTime == "20240102003100+0100"
    plain, _ = associated(FIND, None)
    (match,) = found(plain, PatientID="", **keys)
    assert (match.PatientID, match.TimezoneOffsetFromUTC) == ("NIGHT", "+0100")
    assert (match.StudyDate, match.StudyTime) == ("20240102", "003000")


def test_the_conformance_statement_says_what_is_agreed(router):
    said = router.command("conformance", str(router.directory / "config.yaml"), check=True).stdout
    own, both = said.split("Queries both:")
    assert "relational queries and retrieves, combined date-time matching" in own
    assert "none of its options is supported" in both
