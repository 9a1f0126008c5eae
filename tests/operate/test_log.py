"""What reaches standard error: events, and of failures their place but not their text."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys, threading, warnings
from router.operate import log
log.configure("info", sys.argv[1])
plugin = logging.getLogger("router.plugins.p")
def fail():
    raise ValueError("Secret^Patient")
class Unraisable:
    def __del__(self):
        fail()
"""


@pytest.fixture
def logged():
    """Run some lines in a process that logs as a router does; its standard error."""

    def run(lines: str, form: str = "text") -> str:
        command = [sys.executable, "-c", SCRIPT + lines, form]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    return run


@pytest.mark.parametrize(
    "lines",
    [
        "fail()",
        "thread = threading.Thread(target=fail); thread.start(); thread.join()",
        "it = Unraisable(); del it",
        "warnings.warn('Secret^Patient')",
        "plugin.info('%d', 'Secret^Patient')",
        "plugin.info('one %s', 'Secret^Patient', 'Secret^Patient')",
        "try:\n    fail()\nexcept ValueError:\n    plugin.exception('could not')",
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_failure_shows_its_text(logged, lines, form):
    assert "Secret" not in logged(lines, form)


def test_what_ended_a_thread_is_told_by_its_place(logged):
    told = logged("thread = threading.Thread(target=fail, name='lane'); thread.start()")
    assert "critical thread.failed thread=lane\n  ValueError" in told


def test_a_record_that_fits_no_format_is_told_by_its_place(logged):
    assert "log.failed area=router.plugins.p at <string>:" in logged("plugin.info('%d', 'x')")


def test_what_a_peer_sent_cannot_begin_a_line_of_the_log(logged):
    told = logged("logging.getLogger('router.intake').info('calling=%s', 'A\\nB\\x1b[2J')")
    assert told.count("\n") == 1
    assert "calling=A\\x0aB\\x1b[2J" in told


def test_as_json_every_event_is_one_object(logged):
    (line,) = logged("plugin.warning('a %s', 'b')", "json").splitlines()
    event = json.loads(line)
    assert (event["level"], event["area"], event["event"]) == ("warning", "router.plugins.p", "a b")


def test_other_libraries_speak_from_warnings_up_and_those_that_quote_values_never(logged):
    lines = "logging.getLogger('other').info('chatter')\nlogging.getLogger('other').warning('hm')"
    lines += "\nfor name in ('pydicom', 'pynetdicom.acse'):"
    lines += "\n    logging.getLogger(name).error('Secret^Patient')"
    assert [line.split()[1:] for line in logged(lines).splitlines()] == [["warning", "hm"]]


def test_what_a_plugin_says_has_its_name(logged):
    assert logged("plugin.info('%s read', 'a table')").endswith(" info    p: a table read\n")


def test_that_it_may_name_patients_is_said_at_once(logged):
    assert "log.names_patients" not in logged("")
    assert "warning log.names_patients" in logged('log.follow("info", sys.argv[1], True)')
