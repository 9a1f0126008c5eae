"""The commands that need no running router: what they print, and their exit codes."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.operate.cli import main
from router.spool import Spool
from tests.conftest import REPOSITORY
from tests.spool.making import accept, planned
from tests.story.peers import BOUND, DICOM_ROUTER
from tests.story.sending import generate

MISTAKES = REPOSITORY / "tests" / "config_mistakes"
NO_ROUTER = """\
spool: {directory: ./spool}
listeners: {dicom: {port: 0, bind: 127.0.0.1}}
destinations:
  vna: {type: folder, directory: ./vna}
  pacs: {ae_title: PACS, host: 127.0.0.1, port: 1}
routes:
  - {name: all, to: [vna]}
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DICOM_ROUTER_CONFIG", raising=False)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def config(home) -> Path:
    path = home / "config.yaml"
    path.write_text(NO_ROUTER)
    return path


def test_init_writes_a_configuration_that_is_good(home):
    done = run("init", "site")
    assert done.exit_code == 0
    assert "site/config.yaml written" in done.stdout
    checked = run("check", "site/config.yaml")
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.startswith("site/config.yaml: good. Listeners: 1, routes: 1")


def test_init_overwrites_nothing(config):
    refused = run("init")
    assert refused.exit_code == 1
    assert refused.stderr == "config.yaml is there already: nothing was written\n"
    assert config.read_text() == NO_ROUTER


def test_init_where_nothing_can_be_written():
    refused = run("init", "/proc/site")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("/proc/site/config.yaml")
    assert refused.stderr.endswith("No such file or directory\n")


@pytest.mark.parametrize("name", sorted(path.stem for path in MISTAKES.glob("*.yaml")))
def test_check_reports_every_mistake_and_lint(home, name):
    shutil.copytree(MISTAKES, home, dirs_exist_ok=True)
    expected = (MISTAKES / f"{name}.expected").read_text().splitlines()
    checked = run("check", f"{name}.yaml")
    assert set(expected[:-1]) <= set(checked.stderr.splitlines())
    good = "mistake" not in expected[-1]
    assert checked.exit_code == (0 if good else 2)
    assert ("good. Listeners:" in checked.stdout) == good


def test_check_looks_at_plugins_too(home):
    (home / "config.yaml").write_text(
        NO_ROUTER.replace("to: [vna]", "chain: [set: {PatientNam: X}], to: [vna]")
    )
    checked = run("check")
    assert checked.exit_code == 2
    assert "config.yaml:7:" in checked.stderr
    assert "PatientName" in checked.stderr


def test_the_configuration_is_the_one_named_then_the_environments_then_the_one_here(
    home, config, monkeypatch
):
    for name in ("named.yaml", "environment.yaml"):
        (home / name).write_text(NO_ROUTER)
    assert run("check").stdout.startswith("config.yaml: good")
    monkeypatch.setenv("DICOM_ROUTER_CONFIG", "environment.yaml")
    assert run("check").stdout.startswith("environment.yaml: good")
    assert run("check", "named.yaml").stdout.startswith("named.yaml: good")
    monkeypatch.setenv("DICOM_ROUTER_CONFIG", "gone.yaml")
    missing = run("status")
    assert missing.exit_code == 2
    assert "gone.yaml" in missing.stderr


@pytest.mark.parametrize(
    "command", [["check"], ["run"], ["status"], ["queue", "list"], ["where", "1"]]
)
def test_without_a_configuration(command):
    missing = run(*command)
    assert missing.exit_code == 2
    assert missing.stderr.startswith("no configuration: ")
    assert "$DICOM_ROUTER_CONFIG" in missing.stderr


@pytest.mark.parametrize("command", [["status"], ["queue", "list"], ["where", "1.2.3"]])
def test_where_no_router_ever_ran(config, command):
    none = run(*command)
    assert none.exit_code == 1
    assert (
        none.stderr == f"no router runs here, and there is no spool at {config.parent}/spool yet\n"
    )


def test_a_queue_without_a_router_has_every_destination(config):
    (config.parent / "spool").mkdir()
    status = run("status").stdout
    assert status.startswith("No router runs on ")
    for name in ("pacs", "vna"):
        assert f"\n{name} (" in status
    (listed, *_) = json.loads(run("status", "--json").stdout)["summary"]["destinations"]
    assert (listed["queued"], listed["last_success"]) == (0, None)
    assert run("queue", "list").stdout == "0 rows\n"
    assert json.loads(run("queue", "list", "--json").stdout) == []
    for action, said in (("retry", "due now"), ("hold", "held"), ("release", "released")):
        assert run("queue", action).stdout == f"0 {said}\n"
    assert run("queue", "first", "--study", "1.2").stdout == "0 moved to the front\n"
    assert json.loads(run("queue", "retry", "--json").stdout) == {"changed": 0}


@pytest.mark.parametrize(
    ("arguments", "answer", "said"),
    [
        (["hold"], b"n\n", "this is for all 1 that wait or are held. Go on? [y/N]"),
        (["hold"], b"y\n", "1 held"),
        (["hold", "--all"], b"", "1 held"),
        (["hold", "--destination", "pacs"], b"", "1 held"),
        (["release"], b"n\n", "Aborted!"),
    ],
)
def test_at_a_terminal_nothing_is_done_to_everything_unasked(config, arguments, answer, said):
    with Spool(config.parent / "spool") as spool:
        accept(spool, planned("pacs"))
    master, terminal = os.openpty()
    os.write(master, answer)
    command = [*DICOM_ROUTER, "queue", *arguments]
    done = subprocess.run(command, stdin=terminal, capture_output=True, text=True, timeout=BOUND)
    os.close(master)
    os.close(terminal)
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pause", "vna"], 0, "vna is paused"),
        (["resume", "vna"], 0, "vna is sent to again"),
        (["pause", "nowhere"], 2, "there is no destination 'nowhere'; there are: vna, pacs"),
        (["pause"], 2, "Missing argument"),
        (["where", "1.2.3"], 1, "not known here"),
        (["where"], 2, "give exactly one of UID, --accession and --patient-id"),
        (["where", "1.2.3", "--patient-id", "P1"], 2, "give exactly one of"),
        (["where", "--accession", "A1"], 1, "not known here"),
        (["queue", "discard", "--reason", "sold"], 2, "say what to discard"),
        (["queue", "discard", "--destination", "vna"], 2, "Missing option '--reason'"),
        (["queue", "discard", "--destination", "vna", "--reason", " "], 2, "wants a reason"),
        (["queue", "discard", "--destination", "vna", "--reason", "sold"], 0, "0 discarded"),
        (["queue", "burn"], 2, "No such command"),
        (["queue", "list", "--route", "nope"], 2, "there is no route 'nope'; there are: all"),
        (["queue", "list", "--limit", "many"], 2, "not a valid integer"),
    ],
)
def test_exit_codes(config, arguments, code, said):
    (config.parent / "spool").mkdir()
    done = run(*arguments)
    assert said in done.output
    assert done.exit_code == code


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["resend", "--since", "1d", "--to", "outside"], 2),
        (["resend", "--since", "1d", "--destination", "pacs", "--to", "outside"], 2),
        (["resend", "--since", "1d", "--to", "outside", "--route", "all"], 0),
        (["resend", "--since", "1d", "--destination", "outside"], 0),
        (["resend", "--since", "1d", "--to", "safe"], 0),
        (["move", "--destination", "pacs", "--to", "outside"], 2),
        (["move", "--destination", "pacs", "--to", "outside", "--route", "all"], 0),
    ],
)
def test_which_copies_leave_the_house_is_never_guessed(config, arguments, code):
    outside = "{type: folder, directory: ./out, outside: true%s}"
    deidentified = ", chain: [{deidentify: {secret: 0123456789abcdef}}]"
    config.write_text(
        NO_ROUTER.replace(
            "routes:", f"  outside: {outside % ''}\n  safe: {outside % deidentified}\nroutes:"
        )
    )
    (config.parent / "spool").mkdir()
    done = run("queue", *arguments)
    assert done.exit_code == code, done.output
    assert ("say with --route which route's copies may leave" in done.output) == (code == 2)


def test_a_pause_is_in_the_status_and_needs_attention(config):
    (config.parent / "spool").mkdir()
    run("pause", "pacs")
    found = run("status")
    assert found.exit_code == 1
    assert "pacs is paused; nothing waits (dicom-router resume pacs)" in found.stdout
    assert json.loads(run("status", "--json").stdout)["attention"]
    run("resume", "pacs")
    assert run("status").exit_code == 0


def test_plugins_lists_what_is_shipped():
    listed = run("plugins", "--json")
    assert listed.exit_code == 0
    found = {each["name"]: each for each in json.loads(listed.stdout)}
    assert {"set", "remove", "skip", "keep", "store"} <= found.keys()
    assert "rewrite_instance" in found["set"]["hooks"]
    assert all(each["about"] and each["problem"] is None for each in found.values())


def test_plugins_of_a_configuration_with_what_is_wrong_with_them(home, config):
    (home / "good.py").write_text(
        "from router import hookimpl\n"
        'class Good:\n    """Does good."""\n    @hookimpl\n'
        "    def verify_instance(self, instance): ...\n"
    )
    (home / "bad.py").write_text("import nothing_of_the_kind\n")
    uses = 'plugins: {g: {use: "good.py:Good"}, b: {use: "bad.py:Bad"}}\n'
    config.write_text(NO_ROUTER + uses)
    listed = run("plugins", "--config", config)
    assert listed.exit_code == 1
    assert "g (good.py:Good): Does good.\n    verify_instance\n" in listed.stdout
    assert "nothing_of_the_kind" in listed.stdout
    assert listed.stderr == "1 cannot be loaded\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["echo", "PACS@127.0.0.1:1"], 1, "cannot connect to 127.0.0.1 port 1"),
        (["echo", "pacs"], 1, "pacs: cannot connect to 127.0.0.1 port 1"),
        (["echo", "vna"], 2, "'vna' is neither AE@HOST:PORT nor the name of a destination"),
        (["echo", "PACS@127.0.0.1"], 2, "the destinations are: vna, pacs"),
        (["echo", "A-VERY-LONG-AE-TITLE@127.0.0.1:104"], 2, "is neither AE@HOST:PORT"),
        (["send", "pacs"], 2, "Missing argument"),
        (["send", "pacs", "gone.dcm"], 2, "does not exist"),
        (["send", "pacs", "config.yaml"], 1, "config.yaml: not sent: "),
    ],
)
def test_a_peer_that_is_not_there_or_is_none(config, arguments, code, said):
    done = run(*arguments)
    assert said in done.output
    assert done.exit_code == code


def test_echo_and_send_to_storescp(config, home, storescp):
    peer = storescp("PACS")
    target = f"PACS@127.0.0.1:{peer.port}"
    config.write_text(NO_ROUTER.replace("port: 1}", f"port: {peer.port}}}"))
    assert run("echo", target).stdout == f"{target} answers C-ECHO with 0x0000\n"
    assert json.loads(run("echo", "pacs", "--json").stdout)["status"] == 0
    files = generate(home / "study", 3)
    sent = run("send", "pacs", home / "study")
    assert (sent.exit_code, sent.stdout) == (0, "3 stored\n")
    assert len(peer.files()) == 3
    (home / "study" / "notes.txt").write_text("no DICOM")
    some = run("send", target, "--json", home / "study", files[0])
    assert some.exit_code == 1
    found = json.loads(some.stdout)
    assert found["stored"] == 4
    [wrong] = [each for each in found["files"] if each["error"]]
    assert wrong["path"].endswith("notes.txt")


def test_version_and_help():
    assert run("--version").stdout.startswith("dicom-router ")
    assert run("-h").exit_code == 0
