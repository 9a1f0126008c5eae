"""Modality Worklist: DCMTK's provider asked through the router, by its findscu and by our own."""

import csv
import json

import pytest
from click.testing import CliRunner

from router.operate.cli import main

from .worklists import Wlmscpfs, scheduled

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
{destinations}
query_retrieve:
  - name: worklists
    listener: main
    upstreams: [{upstreams}]
    services: [worklist]
    accept: {{calling_ae_titles: [CT1]}}
"""
SEQUENCE = "ScheduledProcedureStepSequence"
MR = {"Modality": "MR", "ScheduledStationAETitle": "MR1"}
LATER = {"ScheduledProcedureStepStartDate": "20240106", "ScheduledProcedureStepStartTime": "1000"}
STEP = "(0040,0100)[0]."
KEYS = [
    *("AccessionNumber", "PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID"),
    *("RequestedProcedureID", "RequestedProcedureDescription", STEP + "ScheduledStationAETitle"),
    *(STEP + "ScheduledProcedureStepStartDate", STEP + "ScheduledProcedureStepStartTime"),
    *(STEP + "Modality", STEP + "ScheduledProcedureStepID"),
]


@pytest.fixture
def provider(tmp_path, started, free_port, dcmtk):
    def run(ae_title, *items):
        peer = Wlmscpfs(tmp_path / ae_title, free_port(), ae_title, list(items))
        started.append(peer)
        return peer.start()

    return run


@pytest.fixture
def router_before(run_router):
    def run(*providers):
        destinations = "\n".join(
            f"  {each.ae_title}: {{ae_title: {each.ae_title}, host: 127.0.0.1, port: {each.port}}}"
            for each in providers
        )
        upstreams = ", ".join(each.ae_title for each in providers)
        return run_router(CONFIG.format(destinations=destinations, upstreams=upstreams))

    return run


@pytest.fixture
def ask(find):
    def run(port, *keys, called="ROUTER"):
        return find(port, *keys, model="-W", calling="CT1", called=called)

    return run


def comparable(matches):
    for match in matches:
        match.pop("SpecificCharacterSet", None)
        match.pop("RetrieveAETitle", None)
    return sorted(str(list(match)) for match in matches)


def steps(matches):
    return sorted(
        (str(match.StudyInstanceUID), item.ScheduledProcedureStepID)
        for match in matches
        for item in match.ScheduledProcedureStepSequence
    )


def test_a_worklist_is_the_same_through_the_router(provider, router_before, ask):
    ris = provider(
        "RIS",
        scheduled("1.2.3.1", "S1"),
        scheduled("1.2.3.1", "S2", LATER),
        scheduled("1.2.3.2", "S1", MR | LATER, PatientID="W-2", PatientName="Other^Person"),
    )
    port = router_before(ris).port("main")
    for asked, expected in (
        ([], 3),
        ([STEP + "Modality=CT"], 2),
        ([STEP + "ScheduledProcedureStepStartDate=20240106-20240107"], 2),
        ([STEP + "ScheduledProcedureStepStartTime=0900-0959", STEP + "Modality=CT"], 1),
        (["PatientID=W-2"], 1),
        (["PatientName=M*"], 2),
        (["PatientID=NOBODY"], 0),
    ):
        keys = [key for key in KEYS if not any(one.startswith(key + "=") for one in asked)] + asked
        through = ask(port, *keys)
        direct = ask(ris.port, *keys, called="RIS")
        assert through.status == direct.status == 0
        assert len(direct.matches) == expected, asked
        assert comparable(through.matches) == comparable(direct.matches)


def test_two_worklists_are_one_by_study_and_scheduled_step(provider, router_before, ask):
    one = provider("ONE", scheduled("1.2.3.1", "S1"), scheduled("1.2.3.1", "S2"))
    two = provider("TWO", scheduled("1.2.3.1", "S2"), scheduled("1.2.3.2", "S1", MR))
    port = router_before(one, two).port("main")

    def matches(*keys):
        answer = ask(port, *keys)
        assert (answer.status, len(answer.matches)) == (0, 3)
        return answer.matches

    named = matches("StudyInstanceUID", STEP + "ScheduledProcedureStepID")
    assert steps(named) == [("1.2.3.1", "S1"), ("1.2.3.1", "S2"), ("1.2.3.2", "S1")]
    other = [match[SEQUENCE][0] for match in matches("PatientName", STEP + "Modality")]
    assert sorted(item.Modality for item in other) == ["CT", "CT", "MR"]
    assert all("ScheduledProcedureStepID" not in item for item in other)
    whole = [match[SEQUENCE][0] for match in matches("PatientName", SEQUENCE)]
    assert all(item.ScheduledStationAETitle for item in whole)
    for match in matches("PatientName"):
        assert not {SEQUENCE, "StudyInstanceUID"} & set(match.dir())


@pytest.fixture
def ris(provider):
    items = [
        scheduled("1.2.3.1", "S1"),
        scheduled("1.2.3.2", "S2", MR | LATER, PatientID="W-2", PatientName="Other^Person"),
    ]
    return provider("RIS", *items)


def find_command(peer, *arguments):
    target = f"{peer.ae_title}@127.0.0.1:{peer.port}"
    return CliRunner().invoke(main, ["find", target, "--level", "worklist", *arguments])


@pytest.mark.parametrize(
    "key",
    [
        f"{SEQUENCE}.Modality=MR",
        f"{SEQUENCE}[0].Modality=MR",
        f"{SEQUENCE}[1].ScheduledProcedureStepStartDate=20240106-",
        "0040,0100[0].0008,0060=MR",
        "(0040,0100).(0040,0001)=MR1",
        "PatientID=W-2",
    ],
)
def test_our_own_command_asks_by_elements_of_the_scheduled_step(ris, key):
    done = find_command(ris, "--json", "-k", key)
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    assert (found["PatientID"], found["PatientName"]) == ("W-2", "Other^Person")
    (step,) = found[SEQUENCE]
    assert (step["ScheduledProcedureStepID"], step["Modality"]) == ("S2", "MR")


def test_a_worklist_is_printed_with_a_column_for_each_element_of_the_step(ris):
    done = find_command(ris, "-k", f"{SEQUENCE}.Modality=CT", "-k", "StudyInstanceUID=")
    assert done.exit_code == 0, done.output
    header, row = done.stdout.splitlines()
    assert header.split()[-6:] == [
        *("Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"),
        *("ScheduledProcedureStepStartTime", "ScheduledProcedureStepDescription"),
        "ScheduledProcedureStepID",
    ]
    assert "Müller^Jürgen" in row
    assert row.endswith("S1")
    done = find_command(ris, "--csv", "--only", "-k", f"{SEQUENCE}.Modality", "-k", "PatientID")
    head, *rows = csv.reader(done.stdout.splitlines())
    assert head == [f"{SEQUENCE}.Modality", "PatientID"]
    assert sorted(rows) == [["CT", "W-1"], ["MR", "W-2"]]


def test_our_own_command_asks_through_the_router_too(ris, router_before):
    router = router_before(ris)
    arguments = ["find", f"ROUTER@127.0.0.1:{router.port('main')}", "--level", "worklist"]
    arguments += ["--calling-ae-title", "CT1", "--json", "-k", "PatientName=M*"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert [match["PatientName"] for match in json.loads(done.stdout)] == ["Müller^Jürgen"]
