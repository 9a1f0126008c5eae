"""`replay`: what a candidate configuration would have made of what the spool still has."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.operate.cli import main
from tests.story.sending import generate

LIVE = """\
spool: {directory: ./spool, keep_free: 0}
listeners: {main: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  vna: {type: folder, directory: ./vna}
  vnb: {type: folder, directory: ./vnb}
routes:
  - {name: all, to: [vna]}
  - name: research
    when: {StudyDescription: "*RESEARCH*"}
    chain:
      - set: {PatientName: "SUBJECT^{PatientID}"}
    to: [vnb]
"""


def replay(config: Path, *arguments: object):
    called = ["replay", str(config), *map(str, arguments)]
    return CliRunner().invoke(main, called)


@pytest.fixture
def live(tmp_path, run_router, wait_until):
    """A router that got three instances, two of them for research."""
    router = run_router(LIVE, "live")
    generate(tmp_path / "sent", 2, StudyDescription="RESEARCH")
    generate(tmp_path / "sent", 1, StudyDescription="CLINICAL")
    peer = f"ROUTER@127.0.0.1:{router.port('main')}"
    sent = CliRunner().invoke(main, ["send", peer, str(tmp_path / "sent")])
    assert sent.exit_code == 0, sent.output
    wait_until(lambda: len([*router.directory.glob("vn[ab]/**/*.dcm")]) == 5)
    return router


def changes(live, candidate: str) -> dict[tuple[str | None, str | None, str], int]:
    path = live.directory / "candidate.yaml"
    path.write_text(candidate)
    done = replay(path, "--json")
    found = json.loads(done.stdout)
    assert found["replayed"] == 3
    assert done.exit_code == (1 if found["changes"] else 0)
    return {
        (each["route"], each["destination"], each["what"]): each["count"]
        for each in found["changes"]
    }


def test_the_configuration_that_ran_changes_nothing_and_another_tells_what(live):
    assert changes(live, LIVE) == {}
    assert changes(live, LIVE.replace("to: [vna]", "to: [vna, vnb]")) == {
        ("all", "vnb", "would get it"): 3,
        ("research", "vnb", "would not get it"): 2,  # which got the same SOP Instance UIDs
    }
    assert changes(live, LIVE.replace('"*RESEARCH*"', '"*CLINICAL*"')) == {
        ("research", None, "would apply"): 1,
        ("research", None, "would not apply"): 2,
        ("research", "vnb", "would get it"): 1,
        ("research", "vnb", "would not get it"): 2,
    }
    assert changes(live, LIVE.replace("SUBJECT", "PERSON")) == {
        ("research", "vnb", "would get other content"): 2
    }
    assert changes(live, LIVE.replace("{PatientID}", "{AccessionNumber}")) == {
        ("research", None, "would be held, was processed"): 2,
        ("research", "vnb", "would not get it"): 2,
    }
    assert changes(live, LIVE.replace("bind:", "accept: {networks: [10.0.0.0/8]}, bind:")) == {
        (None, None, "would be refused: network not accepted (listeners.main)"): 3
    }
    renamed = LIVE.replace("main:", "other:")  # who may send there is not judged
    assert changes(live, renamed) == {}
    live.stop()
    assert changes(live, LIVE) == {}


def test_examples_are_named_by_sop_instance_uid_only_and_limits_are_told(live):
    path = live.directory / "candidate.yaml"
    path.write_text(LIVE.replace("to: [vna]", "to: [vna, vnb]"))
    done = replay(path)
    assert done.exit_code == 1
    assert "3 replayed: 3 would change, 0 would not" in done.stdout
    assert "Test^Patient" not in done.stdout
    limited = replay(path, "--limit", 1)
    assert "1 replayed: 1 would change, 0 would not; 2 older ones not looked at" in limited.stdout


def test_where_there_is_no_spool_it_says_so(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(LIVE)
    done = replay(path)
    assert (done.exit_code, done.stderr) == (1, f"there is no spool at {tmp_path}/spool yet\n")
    assert replay(path, "--since", "yesterday").exit_code == 2
