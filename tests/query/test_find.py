"""C-FIND through the router, asked with findscu, answered by dcmqrscp: as if asked directly."""

import pytest

from tests.story.sending import generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
{destinations}
query_retrieve:
  - name: workstations
    listener: main
    upstreams: [{upstreams}]
    accept: {{calling_ae_titles: [WS1]}}
    deadline: 60 s
{more}
"""


def config(more="", **ports):
    destinations = "\n".join(
        f"  {name}: {{ae_title: {name.upper()}, host: 127.0.0.1, port: {port}}}"
        for name, port in ports.items()
    )
    return CONFIG.format(destinations=destinations, upstreams=", ".join(ports), more=more)


STUDY = ("QueryRetrieveLevel=STUDY", "StudyInstanceUID", "PatientName", "PatientID")


def values(answer, *keywords):
    return sorted(tuple(str(match.get(k, "")) for k in keywords) for match in answer.matches)


def test_one_upstream_answers_through_the_router_as_it_answers_directly(
    archive, run_router, find, tmp_path
):
    pacs = archive("PACS")
    for number in range(3):
        pacs.fill(*generate(tmp_path / f"in{number}", 2, 64, PatientID=f"P{number}"))
    router = run_router(config(pacs=pacs.port))
    for model, level in (("-S", "STUDY"), ("-P", "PATIENT"), ("-S", "SERIES"), ("-S", "IMAGE")):
        keys = [f"QueryRetrieveLevel={level}", "PatientID", "StudyInstanceUID"]
        keys += ["SeriesInstanceUID", "SOPInstanceUID"][: {"SERIES": 1, "IMAGE": 2}.get(level, 0)]
        through = find(router.port("main"), *keys, model=model)
        direct = find(pacs.port, *keys, model=model, called="PACS")
        assert through.status == direct.status == 0
        for answer in (through, direct):
            for match in answer.matches:
                match.pop("RetrieveAETitle", None)
        assert len(direct.matches) > 0
        assert through.matches == direct.matches


def test_the_same_study_in_two_upstreams_is_one_match(archive, run_router, find, tmp_path):
    both = generate(tmp_path / "both", 3, 64, PatientName="Both")
    other = generate(tmp_path / "other", 1, 64, PatientName="Other")
    one, two = archive("ONE"), archive("TWO")
    one.fill(*both[:2])
    two.fill(*both, *other)
    router = run_router(config(one=one.port, two=two.port))
    answer = find(router.port("main"), "QueryRetrieveLevel=STUDY", "PatientName")
    assert answer.status == 0
    assert values(answer, "PatientName") == [("Both",), ("Other",)]
    assert all("StudyInstanceUID" not in match for match in answer.matches)


@pytest.mark.parametrize("partial", ["fail", "succeed"])
def test_a_dead_upstream_is_told_after_the_matches_of_the_others(
    archive, run_router, find, tmp_path, free_port, partial
):
    pacs = archive("PACS")
    pacs.fill(*generate(tmp_path / "in", 1, 64))
    settings = config(f"    partial: {partial}", pacs=pacs.port, old=free_port())
    answer = find(run_router(settings).port("main"), *STUDY)
    assert len(answer.matches) == 1
    if partial == "succeed":
        assert answer.status == 0
    else:
        assert answer.status >> 12 == 0xC
        assert answer.comment.startswith("old: cannot connect")
