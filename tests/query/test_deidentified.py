"""A proxy for those who may know pseudonyms only: both ways, and nothing else gets through."""

import pydicom

from tests.story.sending import generate

from .scripted import answering, decode, find, move, moving
from .test_move import uid_of

REAL = {"PatientName": "Muster^Erika", "PatientID": "P-4711", "PatientBirthDate": "19700101"}
STUDY = {"QueryRetrieveLevel": "STUDY"}


def ask(site, **keys):
    return find(site.port, "RESEARCH", **STUDY, **keys)


def study_of(site, uid):
    """The study as the requestor gets to know it."""
    site.pacs.find = answering({**STUDY, **REAL, "StudyInstanceUID": uid})
    ((match,), _) = ask(site, StudyInstanceUID="", PatientID="", PatientName="")
    return match


def test_matches_have_pseudonyms_and_other_uids(site):
    match = study_of(site, "1.2.3.4")
    assert match.PatientName == match.PatientID != REAL["PatientID"]
    assert match.StudyInstanceUID.startswith("2.25.")
    assert "Muster" not in str(match)


def test_what_is_asked_by_a_pseudonym_or_a_replaced_uid_finds_its_patient(site):
    match = study_of(site, "1.2.3.4")
    ask(site, StudyInstanceUID=match.StudyInstanceUID, PatientID=match.PatientID)
    asked = decode(site.pacs.asked[-1].identifier)
    assert (asked.StudyInstanceUID, asked.PatientID) == ("1.2.3.4", REAL["PatientID"])


def test_original_ids_and_uids_find_nothing(site):
    ask(site, StudyInstanceUID="1.2.3.4", PatientID=REAL["PatientID"])
    asked = decode(site.pacs.asked[-1].identifier)
    assert asked.StudyInstanceUID != "1.2.3.4"
    assert asked.PatientID != REAL["PatientID"]


def test_nothing_is_asked_that_would_tell_what_is_hidden(site):
    for keys in ({"StudyDate": "20200101-"}, {"PatientID": "P*"}, {"AccessionNumber": "A1"}):
        matches, last = ask(site, StudyInstanceUID="", **keys)
        assert not matches
        assert last.status >> 12 == 0xC
        assert last.error_comment.startswith("pseudonyms: rewrite_query")
    assert not site.pacs.asked


def test_a_match_is_without_what_only_the_plugin_asked_for(site):
    site.pacs.find = answering({**STUDY, **REAL, "StudyInstanceUID": "1.2.3.4"})
    ((match,), _) = ask(site, StudyInstanceUID="")
    assert "PatientID" not in match


def test_what_is_retrieved_is_deidentified_and_its_counts_are_true(site, tmp_path):
    files = generate(tmp_path / "in", 3, **REAL)
    original = uid_of(files[0])
    known = study_of(site, original)
    site.pacs.move = moving(site.port, files)
    *_, last = move(site.port, known.StudyInstanceUID, "RESEARCH")
    assert (last.status, last.counts.completed) == (0, 3)
    assert original.encode() in site.pacs.asked[-1].identifier
    got = [pydicom.dcmread(path) for path in site.ws1.files()]
    assert len(got) == 3
    for each in got:
        assert each.PatientID == known.PatientID
        assert each.StudyInstanceUID == known.StudyInstanceUID
        assert "Muster" not in str(each)
        assert REAL["PatientID"] not in str(each)


def test_failed_uids_and_comments_are_of_the_world_the_requestor_knows(site, tmp_path):
    (file,) = generate(tmp_path / "in", 1, **REAL, PixelData=b"")
    uid = uid_of(file, "SOPInstanceUID")
    known = study_of(site, uid_of(file))
    site.pacs.move = answering_failed(uid)
    *_, last = move(site.port, known.StudyInstanceUID, "RESEARCH")
    assert last.status == 0xA702
    failed = decode(last.identifier).FailedSOPInstanceUIDList
    assert str(failed).startswith("2.25.")
    assert "Muster" not in last.error_comment


def answering_failed(uid):
    from router.wire import QueryResponse, SubOperations

    from .scripted import encode

    def answer(request, exchange):
        identifier = encode(FailedSOPInstanceUIDList=uid)
        counts = SubOperations(None, 0, 1, 0)
        return QueryResponse(0xA702, "Muster^Erika is not here", identifier, counts)

    return answer
