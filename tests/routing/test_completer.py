"""Plugins are told of complete studies in the workers, each of what is for it, once."""

from __future__ import annotations

import json
import logging

import pytest

from router.testing import make_dataset

PLUGIN = """
import ctypes
import json
import os
import time
from pathlib import Path

from router import Hold, Study, hookimpl


class Told:
    def __init__(self, file: Path, body: str = "") -> None:
        self.file = file
        self.body = body

    @hookimpl
    def study_complete(self, study: Study) -> None:
        known = {"file": self.file, "os": os, "Hold": Hold, "time": time, "ctypes": ctypes}
        exec(self.body, known)
        told = [
            study.study_instance_uid,
            study.original_study_instance_uid,
            sorted(instance.dataset.InstanceNumber for instance in study.instances),
            [str(instance.original.PatientName) for instance in study.instances][:1],
        ]
        with self.file.open("a") as file:
            file.write(json.dumps(told) + "\\n")
"""
CONFIG = """
listeners: {{modalities: {{port: 0, bind: 127.0.0.1}}}}
destinations: {{vna: {{type: folder, directory: ./vna}}}}
routes:
  - name: research
    chain:
{chain}
    to: [vna]
    study_quiet: 1 s
"""
ONCE = "first = not file.with_suffix('.tried').exists(); file.with_suffix('.tried').touch()\n"


@pytest.fixture
def router(tmp_path, dicom_router):
    (tmp_path / "told.py").write_text(PLUGIN)

    def start(*chain: str):
        lines = "\n".join(f"      - {entry}" for entry in chain)
        return dicom_router(CONFIG.format(chain=lines))

    return start


def told(tmp_path, name: str = "told") -> list:
    file = tmp_path / name
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def send(router, count: int = 2, study: str = "1.2.3", **elements: object) -> None:
    made = [
        make_dataset(
            StudyInstanceUID=study, InstanceNumber=number, PatientName="Secret^Patient", **elements
        )
        for number in range(count)
    ]
    assert {answer.status for answer in router.send(*made)} == {0}


def entry(name: str = "told", body: str = "") -> str:
    return json.dumps({"told.py:Told": {"file": name, "body": body}})


def test_it_is_told_by_the_uid_it_leaves_with_and_the_one_it_came_with(router, tmp_path):
    running = router(
        "set: {StudyInstanceUID: 1.9.9, PatientName: X}\n        when: {InstanceNumber: '0-1'}",
        entry(),
    )
    send(running, 3)
    running.until(lambda: len(told(tmp_path)) == 2, "both studies are told of")
    assert sorted(told(tmp_path)) == [
        ["1.2.3", "1.2.3", [2], ["Secret^Patient"]], ["1.9.9", "1.2.3", [0, 1], ["Secret^Patient"]],
    ]  # fmt: skip


def test_a_plugin_with_a_condition_hears_of_what_meets_it_if_anything_does(router, tmp_path):
    running = router(
        f"{entry('first')[1:-1]}\n        when: {{InstanceNumber: 1}}",
        f"{entry('second')[1:-1]}\n        when: {{InstanceNumber: 7}}",
        entry("third"),
    )
    send(running, 3)
    running.until(lambda: told(tmp_path, "third"), "who has no condition is told")
    assert [each[2] for each in told(tmp_path, "first")] == [[1]]
    assert told(tmp_path, "second") == []


FAULTS = {
    "raises": ("raise ValueError('of Secret^Patient')", "ValueError at "),
    "crashes": ("ctypes.string_at(0)", "its worker process ended: SIGSEGV"),
    "says when": ("raise Hold('not now', retry_after=0.2)", "not now"),
}


@pytest.mark.parametrize(("body", "reason"), FAULTS.values(), ids=FAULTS)
def test_one_that_fails_is_told_again_and_those_before_it_are_not(
    router, tmp_path, caplog, monkeypatch, body, reason
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("router.routing.completer._FIRST_RETRY", 0.2)
    running = router(entry("first"), entry("second", f"{ONCE}\nif first:\n    {body}"))
    send(running, 1)
    running.until(lambda: told(tmp_path, "second"), "it is told in the end")
    running.until(lambda: not running.ask("status")["summary"]["studies"], "all have been told")
    assert len(told(tmp_path, "second")) == 1
    # what died with the worker took along who had been told in it
    assert len(told(tmp_path, "first")) == (2 if "ctypes" in body else 1)
    assert f"reason={reason}" in caplog.text
    assert "Secret" not in caplog.text


def test_a_chain_that_only_wants_to_be_told_needs_no_worker_for_each_instance(router, tmp_path):
    running = router(entry())
    send(running, 5)
    running.until(lambda: running.ask("status")["plugins"], "how long it took is known")
    assert {each["hook"] for each in running.ask("status")["plugins"]} == {"study_complete"}
    assert told(tmp_path)[0][2] == [0, 1, 2, 3, 4]


def test_a_slow_one_keeps_no_instance_waiting(router, tmp_path):
    wait = "\nwhile not file.with_suffix('.go').exists(): time.sleep(0.02)"
    running = router("set: {PatientName: X}", entry("told", wait))
    send(running)
    running.until(lambda: running.ask("status")["summary"]["studies"], "it gathers")
    running.until(
        lambda: running.ask("status")["summary"]["studies"][0]["state"] == "complete", "it is told"
    )
    later = make_dataset(StudyInstanceUID="1.7")
    running.send(later)
    assert running.copy(later.SOPInstanceUID).state == "processed"
    assert told(tmp_path) == []
    (tmp_path / "told.go").touch()
    running.until(lambda: told(tmp_path), "it was told")
