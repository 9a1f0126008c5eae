"""Two upstreams, one answer: whose values win, what is joined, and in which characters it comes."""

import threading

import pytest

from .scripted import answering, asking, decode, find

STUDY = {"QueryRetrieveLevel": "STUDY"}


def ask(port, **keys):
    matches, last = find(port, "BOTH", **STUDY, **keys)
    assert last.status == 0
    return matches


def test_the_first_upstream_wins_and_what_both_count_is_not_counted_twice(site):
    shared = {**STUDY, "StudyInstanceUID": "1.2"}
    site.pacs.find = answering(
        {**shared, "StudyDescription": "first", "ModalitiesInStudy": ["CT", "SR"]}
        | {"NumberOfStudyRelatedInstances": 7, "NumberOfStudyRelatedSeries": 2}
    )
    site.old.find = answering(
        {**shared, "StudyDescription": "second", "ModalitiesInStudy": ["CT", "PT"]}
        | {"NumberOfStudyRelatedInstances": 9, "NumberOfStudyRelatedSeries": 1},
        {**STUDY, "StudyInstanceUID": "1.3", "StudyDescription": "other"},
    )
    one, two = ask(
        site.port,
        StudyInstanceUID="",
        StudyDescription="",
        ModalitiesInStudy="",
        NumberOfStudyRelatedInstances="",
        NumberOfStudyRelatedSeries="",
    )
    assert one.StudyDescription == "first"
    assert sorted(one.ModalitiesInStudy) == ["CT", "PT", "SR"]
    assert (one.NumberOfStudyRelatedInstances, one.NumberOfStudyRelatedSeries) == (9, 2)
    assert two.StudyDescription == "other"


def test_the_key_of_the_level_is_asked_for_and_taken_away_again(site):
    match = {**STUDY, "StudyInstanceUID": "1.2", "PatientName": "Doe"}
    site.pacs.find = site.old.find = answering(match)
    (found,) = ask(site.port, PatientName="")
    assert "StudyInstanceUID" not in found
    for archive in (site.pacs, site.old):
        assert "StudyInstanceUID" in decode(archive.asked[0].identifier)


def test_patients_are_the_same_only_when_their_issuer_is(site):
    def patients(*matches):
        site.pacs.find = answering(
            {"QueryRetrieveLevel": "PATIENT", "PatientID": "1", **matches[0]}
        )
        site.old.find = answering({"QueryRetrieveLevel": "PATIENT", "PatientID": "1", **matches[1]})
        found, _ = find(site.port, "BOTH", QueryRetrieveLevel="PATIENT", PatientID="")
        return len(found)

    assert patients({}, {}) == 2
    assert patients({"IssuerOfPatientID": "A"}, {"IssuerOfPatientID": "A"}) == 1
    assert patients({"IssuerOfPatientID": "A"}, {"IssuerOfPatientID": "B"}) == 2


JAPANESE = "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"


@pytest.mark.parametrize("wanted", ["ISO_IR 192", "\\ISO 2022 IR 87"])
def test_names_come_in_the_characters_that_were_asked_for(site, wanted):
    site.pacs.find = answering(
        {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": JAPANESE}
        | {**STUDY, "StudyInstanceUID": "1.2"}
    )
    site.old.find = answering(
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": JAPANESE}
        | {**STUDY, "StudyInstanceUID": "1.3"}
    )
    matches = ask(site.port, SpecificCharacterSet=wanted, StudyInstanceUID="", PatientName="")
    assert [str(match.PatientName) for match in matches] == [JAPANESE, JAPANESE]
    sets = [match.SpecificCharacterSet for match in matches]
    assert ["\\".join(s) if not isinstance(s, str) else s for s in sets] == [wanted, wanted]


def test_what_the_wanted_characters_do_not_have_comes_as_utf_8(site):
    site.pacs.find = answering(
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": JAPANESE}
        | {**STUDY, "StudyInstanceUID": "1.2"}
    )
    (match,) = ask(
        site.port, SpecificCharacterSet="ISO_IR 100", StudyInstanceUID="", PatientName=""
    )
    assert (match.SpecificCharacterSet, str(match.PatientName)) == ("ISO_IR 192", JAPANESE)


@pytest.mark.parametrize("final", [0xA700, 0xC001])
def test_an_upstream_that_fails_is_told_after_the_matches_there_are(site, final):
    site.pacs.find = answering({**STUDY, "StudyInstanceUID": "1.2"})
    site.old.find = answering(final=final)
    found, last = find(site.port, "BOTH", **STUDY, StudyInstanceUID="")
    assert len(found) == 1
    assert last.status >> 12 == 0xC
    assert last.error_comment.startswith("old failed")


def test_a_slow_upstream_is_waited_for_until_the_deadline(site):
    is_over = threading.Event()

    def slow(request, exchange):
        is_over.wait(60)
        return answering()(request, exchange)

    site.pacs.find = answering({**STUDY, "StudyInstanceUID": "1.2"})
    site.old.find = slow
    found, last = find(site.port, "HASTY", **STUDY, StudyInstanceUID="")
    is_over.set()
    assert len(found) == 1
    assert last.status >> 12 == 0xC
    assert "5 s" in last.error_comment


def test_only_those_are_asked_to_move_that_have_the_study(site):
    site.old.find = answering({**STUDY, "StudyInstanceUID": "1.2.77"})
    with asking(site.port, "1.2.840.10008.5.1.4.1.2.2.2", "BOTH") as requestor:
        requestor.ask("move", to="WS1", **STUDY, StudyInstanceUID="1.2.77")
    asked = [[request.service for request in each.asked] for each in (site.pacs, site.old)]
    assert asked == [["find"], ["find", "move"]]


def test_worklist_items_are_the_same_by_study_and_step(site):
    def item(study, step):
        return {"StudyInstanceUID": study, "ScheduledProcedureStepSequence": [sps(step)]}

    site.pacs.find = answering(item("1.2", "A"), item("1.2", "B"))
    site.old.find = answering(item("1.2", "A"), item("1.3", "A"))
    with asking(site.port, "1.2.840.10008.5.1.4.31", "BOTH") as requestor:
        *matches, last = requestor.ask(
            "find", PatientName="", ScheduledProcedureStepSequence=[sps("")]
        )
    assert (len(matches), last.status) == (3, 0)


def sps(step):
    from pydicom.dataset import Dataset

    item = Dataset()
    item.Modality = "CT"
    item.ScheduledProcedureStepID = step
    return item
