"""Chains in worker processes, and plugins that fail in every way there is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from router.routing import check_start
from tests.routing.helpers import read_config

REPOSITORY = Path(__file__).resolve().parents[2]
ONE_ROUTE = "routes: [{name: r, chain: [{plugin.py:Plugin: , timeout: 2 s}], to: [pacs]}]"


@pytest.fixture
def finished(router, wait_until):
    """Wait for a copy to be finished, and give it."""

    def wait(uid: str, timeout: float = 30):
        wait_until(lambda: router.copy(uid).state != "received", timeout)
        return router.copy(uid)

    return wait


def test_a_chain_changes_its_own_copy(router, finished):
    router.start("routes: [{name: r, chain: [{set: {PatientName: X}}], to: [pacs]}]")
    copy = finished(router.accept())
    assert copy.state == "processed"
    (delivery,) = router.spool.ledger.claim("pacs", 10)
    assert b"Secret" not in b"".join(s for s in delivery.segments if isinstance(s, bytes))


def test_a_chain_that_changes_nothing_leaves_the_bytes_that_came(router, finished):
    router.start("routes: [{name: r, chain: [{skip: {Modality: MR}}], to: [pacs]}]")
    finished(router.accept())
    (delivery,) = router.spool.ledger.claim("pacs", 10)
    assert delivery.bulk is not None


def test_a_skipped_copy_says_why(router, finished):
    router.start("routes: [{name: r, chain: [{skip: {Modality: CT}}], to: [pacs]}]")
    copy = finished(router.accept())
    assert (copy.state, copy.plugin) == ("skipped", "skip")
    assert copy.reason


FAILURES = {
    "raises": ("raise ValueError(str(instance.dataset.PatientName))", "ValueError at "),
    "exits": ("raise SystemExit(str(instance.dataset.PatientName))", "SystemExit at "),
    "is interrupted": (
        "raise KeyboardInterrupt(str(instance.dataset.PatientName))",
        "KeyboardInterrupt at ",
    ),
    "hangs": ("while True: pass", "did not finish within 2 s"),
    "sleeps": ("time.sleep(600)", "did not finish within 2 s"),
    "hangs in C": ("re.match('(a+)+$', 'a' * 60 + 'b')", "did not finish within 2 s"),
    "ends its process": ("os._exit(3)", "exit code 3"),
    "ends its process well": ("os._exit(0)", "its worker process ended"),
    "crashes": ("ctypes.string_at(0)", "SIGSEGV"),
    "is killed": ("os.kill(os.getpid(), 9)", "SIGKILL"),
    "eats memory": ("self.eaten = [bytes(1 << 24) for _ in range(1 << 14)]", "MemoryError at "),
}


@pytest.mark.parametrize(("body", "reason"), FAILURES.values(), ids=FAILURES)
def test_a_plugin_that_fails_holds_its_copy_and_nothing_else(
    router, finished, caplog, body, reason
):
    caplog.set_level(logging.DEBUG)
    router.plugin(
        "@hookimpl\n"
        "def rewrite_instance(self, instance):\n"
        "    if instance.dataset.StudyID == 'bad':\n"
        f"        {body}\n"
    )
    router.start(ONE_ROUTE, memory=512 << 20)
    first, second, third = (router.accept(StudyID=study) for study in ("good", "bad", "good"))
    held = finished(second)
    assert (held.state, held.plugin, held.hook) == ("held", "plugin.py:Plugin", "rewrite_instance")
    assert reason in held.reason
    assert finished(first).state == finished(third).state == "processed"
    assert "Secret" not in held.reason + caplog.text


def test_an_exception_is_told_by_type_file_and_line(router, finished):
    router.plugin("@hookimpl\ndef rewrite_instance(self, instance):\n    int('Secret')\n")
    router.start(ONE_ROUTE)
    assert finished(router.accept()).reason == f"ValueError at {router.folder / 'plugin.py'}:7"


def test_a_hold_is_told_in_its_own_words_and_tried_again_when_it_says(router, wait_until):
    router.plugin(
        "@hookimpl\n"
        "def startup(self, context):\n    self.marks = context.directory / 'marks'\n\n"
        "@hookimpl\n"
        "def rewrite_instance(self, instance):\n"
        "    if not self.marks.exists():\n"
        "        self.marks.touch()\n"
        "        raise Hold('the key server is away', retry_after=0.5)\n"
    )
    router.start(ONE_ROUTE)
    uid = router.accept()
    wait_until(lambda: router.copy(uid).state == "held")
    assert router.copy(uid).reason == "the key server is away"
    wait_until(lambda: router.copy(uid).state == "processed")


def test_what_a_reading_hook_changes_does_not_leave(router, finished):
    router.plugin(
        "".join(
            f"@hookimpl\ndef {hook}(self, instance):\n"
            "    assert instance.dataset.StudyID == 'as it came'\n"
            "    instance.dataset.StudyID = 'changed'\n\n"
            for hook in ("filter_instance", "verify_instance", "store_instance", "forward_instance")
        )
    )
    router.start("routes: [{name: r, chain: [plugin.py:Plugin, plugin.py:Plugin], to: [pacs]}]")
    copy = finished(router.accept(StudyID="as it came"))
    assert copy.state == "processed", copy.reason
    (delivery,) = router.spool.ledger.claim("pacs", 10)
    assert delivery.bulk is not None


def test_verify_sees_the_copy_as_it_leaves(router, finished):
    router.plugin(
        "@hookimpl\n"
        "def verify_instance(self, instance):\n"
        "    if 'PatientName' in instance.dataset and instance.dataset.PatientName != 'X':\n"
        "        raise Hold('it names somebody')\n"
    )
    router.start(
        "routes:\n"
        "  - {name: r, chain: [{set: {PatientName: X}}, plugin.py:Plugin], to: [pacs]}\n"
        "  - {name: q, chain: [plugin.py:Plugin], to: [pacs]}\n"
    )
    assert finished(router.accept("r")).state == "processed"
    held = finished(router.accept("q"))
    assert (held.state, held.reason) == ("held", "it names somebody")


def test_a_forwarding_plugin_adds_destinations(router, finished):
    router.plugin(
        "@hookimpl\ndef forward_instance(self, instance):\n"
        "    return str(instance.dataset.StudyID)\n"
    )
    router.start(ONE_ROUTE)
    assert set(finished(router.accept(StudyID="vna")).destinations) == {"pacs", "vna"}
    unknown = finished(router.accept(StudyID="nowhere"))
    assert (unknown.state, unknown.hook) == ("held", "forward_instance")


def test_texts_of_a_class_of_the_plugins_own_are_taken_as_texts(router, finished):
    router.plugin(
        "class Own(str): pass\n\n"
        "@hookimpl\ndef filter_instance(self, instance):\n"
        "    if instance.dataset.StudyID == 'skip': return Skip(self.Own('not wanted'))\n\n"
        "@hookimpl\ndef store_instance(self, instance):\n"
        "    if instance.dataset.StudyID == 'hold': raise Hold(self.Own('not now'))\n"
        "    return self.Own('kept')\n"
    )
    router.start(ONE_ROUTE)
    assert finished(router.accept(StudyID="skip")).reason == "not wanted"
    assert finished(router.accept(StudyID="hold")).reason == "not now"
    assert finished(router.accept(StudyID="keep")).notes == ("kept",)


def test_an_entry_with_a_condition_is_asked_only_where_it_applies(router, finished):
    router.plugin("@hookimpl\ndef rewrite_instance(self, instance):\n    raise Hold('asked')\n")
    router.start(
        "routes: [{name: r, chain: [{plugin.py:Plugin: , when: {StudyID: ask}}], to: [pacs]}]"
    )
    assert finished(router.accept(StudyID="ask")).state == "held"
    assert finished(router.accept(StudyID="do not")).state == "processed"


def test_a_startup_that_fails_holds_the_copy_it_was_for(router, finished):
    router.plugin(
        "@hookimpl\ndef startup(self, context):\n    raise Hold('no key is there')\n\n"
        "@hookimpl\ndef rewrite_instance(self, instance): pass\n"
    )
    router.start(ONE_ROUTE)
    held = finished(router.accept())
    assert (held.state, held.hook, held.reason) == ("held", "startup", "no key is there")


def test_a_startup_that_hangs_is_ended_too(router, finished):
    router.plugin(
        "@hookimpl\ndef startup(self, context):\n    time.sleep(600)\n\n"
        "@hookimpl\ndef rewrite_instance(self, instance): pass\n"
    )
    router.start(ONE_ROUTE)
    held = finished(router.accept())
    assert (held.state, held.hook) == ("held", "startup")


@pytest.mark.parametrize(
    ("startup", "expected"),
    [
        ("raise Hold('no key is there')", ["startup failed: no key is there"]),
        ("os._exit(1)", ["startup failed: its worker process ended: exit code 1"]),
        ("pass", []),
    ],
)
def test_a_new_configuration_is_tried_before_it_goes_live(tmp_path, startup, expected):
    (tmp_path / "plugin.py").write_text(
        "import os\nfrom router import Hold, hookimpl\n\n"
        "class Plugin:\n"
        f"    @hookimpl\n    def startup(self, context):\n        {startup}\n\n"
        "    @hookimpl\n    def rewrite_instance(self, instance): pass\n"
    )
    found = check_start(read_config(tmp_path, ONE_ROUTE), tmp_path / "plugins")
    assert [mistake.message for mistake in found] == expected
    assert all(mistake.position.line == 7 for mistake in found)


def test_a_copy_whose_route_is_gone_is_held(router, finished):
    router.start("routes: [{name: r, to: [pacs]}]")
    assert finished(router.accept("r")).state == "processed"
    assert finished(router.accept("gone")).state == "held"


def test_what_plugins_log_reaches_the_log_without_what_exceptions_say(
    router, finished, caplog, wait_until
):
    caplog.set_level(logging.INFO, "router")
    router.plugin(
        "@hookimpl\ndef startup(self, context):\n    self.log = context.log\n\n"
        "@hookimpl\n"
        "def rewrite_instance(self, instance):\n"
        "    print(instance.dataset)\n"
        "    try:\n        int(str(instance.dataset.PatientName))\n"
        "    except ValueError:\n        self.log.exception('could not count')\n"
    )
    router.start(ONE_ROUTE)
    finished(router.accept())
    wait_until(lambda: "could not count: ValueError at" in caplog.text)
    assert "Secret" not in caplog.text


def test_the_log_outlives_what_a_plugin_logs(router, finished, caplog, wait_until):
    caplog.set_level(logging.INFO, "router")
    router.plugin(
        "@hookimpl\ndef startup(self, context):\n    self.log = context.log\n\n"
        "@hookimpl\n"
        "def rewrite_instance(self, instance):\n"
        "    self.log.info(chr(0x1F600) * 10_000)\n"
        "    self.log.info(chr(0xDC80))\n"
        "    self.log.info(chr(1) * 10_000)\n"
        "    self.log.info('still here')\n"
    )
    router.start(ONE_ROUTE)
    finished(router.accept())
    wait_until(lambda: "still here" in caplog.text)


def test_a_copy_that_could_not_be_begun_is_taken_again(router, finished, caplog):
    router.start("routes: [{name: r, chain: [{skip: {Modality: MR}}], to: [pacs]}]")
    answers = [OSError("Secret"), router.specs["r"]]

    def lookup(route: str):
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    router.processor._lookup = lookup
    assert finished(router.accept()).state == "processed"
    assert "copy.not_begun route=r" in caplog.text


def test_killed_workers_are_replaced_and_no_copy_is_lost(router, finished):
    router.start("routes: [{name: r, chain: [{set: {PatientName: X}}], to: [pacs]}]", workers=2)
    finished(router.accept())
    for worker in router_workers():
        worker.kill()
    assert [finished(router.accept()).state for _ in range(4)] == ["processed"] * 4


def test_a_stop_leaves_what_is_not_done_unprocessed_in_bounded_time(router, wait_until):
    router.plugin("@hookimpl\ndef rewrite_instance(self, instance):\n    time.sleep(600)\n")
    router.start(ONE_ROUTE.replace("2 s", "1 h"))
    uid = router.accept()
    wait_until(lambda: "1 copies" in repr(router.pool))
    router.processor.stop(0.2)
    router.processor = None
    assert router.copy(uid).state == "received"
    assert not router_workers()


ROUTER_THAT_HANGS = """
import sys, time
from pathlib import Path
from router.spool import Spool
from tests.routing.helpers import Router

folder = Path(sys.argv[1])
with Spool(folder / "spool") as spool:
    router = Router(folder, spool)
    router.start(sys.argv[2])
    router.accept()
    time.sleep(600)
"""


def test_a_router_that_is_killed_takes_its_hanging_workers_with_it(router, wait_until):
    router.plugin(
        "@hookimpl\ndef startup(self, context):\n    self.mark = context.directory / 'hangs'\n\n"
        "@hookimpl\n"
        "def rewrite_instance(self, instance):\n"
        "    self.mark.touch()\n"
        "    re.match('(a+)+$', 'a' * 60 + 'b')\n"
    )
    folder = router.folder / "other"
    folder.mkdir()
    (router.folder / "plugin.py").rename(folder / "plugin.py")
    command = [sys.executable, "-c", ROUTER_THAT_HANGS, folder, ONE_ROUTE.replace("2 s", "1 h")]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: list(folder.glob("spool/plugins/*/hangs")))
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    _, left = psutil.wait_procs(family, 10)
    assert not left


def router_workers() -> list[psutil.Process]:
    """The worker processes of this process that run; a fork server is among its children."""
    everything = psutil.Process(os.getpid()).children(recursive=True)
    return [p for p in everything if p.ppid() != os.getpid() and _runs(p)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # the fork server waits for them later
    except psutil.NoSuchProcess:
        return False
