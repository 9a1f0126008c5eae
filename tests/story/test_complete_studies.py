"""Studies over several associations and listeners, complete once, told once, sent in one go."""

import json
from pathlib import Path

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from router.wire import Peer, connect

from .peers import until
from .sending import content, generate, store

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0, retain: 0 s}}
listeners:
  radiology: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
  theatre: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  vna: {{type: folder, directory: ./vna}}
  whole: {{type: folder, directory: ./whole}}
plugins:
  told: {{use: told.py:Told, options: {{directory: ./told}}}}
routes:
  - name: research
    chain: [{{set: {{InstitutionName: "St. Elsewhere"}}}}, told]
    to: [vna]
    study_quiet: {quiet}
  - {{name: whole, to: [whole], deliver: study_complete, study_quiet: {quiet}}}
"""
TOLD = '''
"""Writes down what it is told of."""
import json
import os
import time
from pathlib import Path

from router import Study, hookimpl


class Told:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)

    @hookimpl
    def study_complete(self, study: Study) -> None:
        told = {
            "study": study.study_instance_uid,
            "original": study.original_study_instance_uid,
            "route": study.route,
            "late": study.late,
            "instances": [instance.sop_instance_uid for instance in study.instances],
            "institutions": [instance.dataset.InstitutionName for instance in study.instances],
        }
        (self.directory / "begun").touch()
        while (self.directory / "slow").exists():
            time.sleep(0.05)
        if (self.directory / "failing").exists():
            raise ValueError("of Secret^Patient")
        with (self.directory / "lines").open("a") as lines:
            lines.write(json.dumps(told) + "\\n")
'''


def start(run_router, tmp_path: Path, quiet: str):
    directory = tmp_path / "router"
    directory.mkdir()
    (directory / "told.py").write_text(TOLD)
    return run_router(CONFIG.format(quiet=quiet))


def open_association(router, listener: str, calling: str = "CT1"):
    peer = Peer("127.0.0.1", router.port(listener), "ROUTER", calling)
    return connect(peer, [(CTImageStorage, [ExplicitVRLittleEndian])])


def told(router) -> list[dict]:
    lines = router.directory / "told" / "lines"
    return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def arrived(router, folder: str) -> set:
    return {content(path) for path in (router.directory / folder).rglob("*.dcm")}


def uids(paths) -> list[str]:
    return sorted(content(path)[0] for path in paths)


def send(router, listener: str, paths) -> None:
    association = open_association(router, listener)
    for path in paths:
        assert store(association, path) == 0
    association.release()


def test_one_study_over_several_associations_and_listeners_between_others(run_router, tmp_path):
    router = start(run_router, tmp_path, "700 ms")
    one, other = generate(tmp_path / "one", 9), generate(tmp_path / "other", 4)
    first = open_association(router, "radiology")
    second = open_association(router, "theatre", "CT2")
    for path in one[:3]:
        assert store(first, path) == 0
    assert store(second, one[3]) == 0
    for path in other:
        assert store(second, path) == 0
    for path in one[4:6]:
        assert store(first, path) == 0
    second.release()
    until(lambda: len(arrived(router, "vna")) == 10, "what does not wait is delivered")
    until(lambda: len(told(router)) == 1, "the one whose sender is done is complete")
    assert told(router)[0]["instances"] == [content(path)[0] for path in other]
    whole = {content(path) for path in other}
    until(lambda: arrived(router, "whole") == whole, "then it is delivered as a whole")
    for path in one[6:]:
        assert store(first, path) == 0
    first.release()
    until(lambda: len(told(router)) == 2, "the other is complete")
    until(lambda: len(arrived(router, "whole")) == 13, "all of it was sent")
    study = told(router)[1]
    assert sorted(study["instances"]) == uids(one)
    assert set(study["institutions"]) == {"St. Elsewhere"}
    assert (study["route"], study["late"]) == ("research", False)
    assert study["study"] == study["original"]
    assert arrived(router, "whole") == {content(path) for path in one + other}


def test_late_arrivals_complete_it_again_with_the_newcomers_only(run_router, tmp_path):
    router = start(run_router, tmp_path, "200 ms")
    files = generate(tmp_path / "sent", 4)
    send(router, "radiology", files[:3])
    until(lambda: len(told(router)) == 1, "it is complete")
    send(router, "theatre", files[3:])
    until(lambda: len(told(router)) == 2, "it is complete again")
    assert [each["late"] for each in told(router)] == [False, True]
    assert told(router)[1]["instances"] == uids(files[3:])
    until(lambda: len(arrived(router, "whole")) == 4, "what came late is sent as well")


def test_a_kill_in_the_middle_loses_no_part_of_it_and_it_is_complete_once(run_router, tmp_path):
    router = start(run_router, tmp_path, "3 s")
    files = generate(tmp_path / "sent", 6)
    association = open_association(router, "radiology")
    for path in files[:3]:
        assert store(association, path) == 0
    router.kill()
    association.abort()
    router.start()
    assert told(router) == []
    send(router, "theatre", files[3:])
    until(lambda: len(told(router)) == 1, "it is complete")
    assert sorted(told(router)[0]["instances"]) == uids(files)
    until(lambda: len(arrived(router, "whole")) == 6, "it was sent")
    until(lambda: not router.ask("status")["summary"]["studies"], "nothing is left to be told")
    assert len(told(router)) == 1


def test_who_was_being_told_when_it_was_killed_is_told_again_with_files_that_stayed(
    run_router, tmp_path
):
    router = start(run_router, tmp_path, "200 ms")
    (router.directory / "told").mkdir(exist_ok=True)
    (router.directory / "told" / "slow").touch()
    files = generate(tmp_path / "sent", 3)
    send(router, "radiology", files)
    until(lambda: (router.directory / "told" / "begun").exists(), "it is being told")
    until(lambda: len(arrived(router, "whole")) == 3, "meanwhile it was sent")
    more = generate(tmp_path / "more", 2)
    send(router, "radiology", more)
    until(lambda: len(arrived(router, "vna")) == 5, "and others go through the chain")
    router.kill()
    (router.directory / "told" / "slow").unlink()
    router.start()
    until(lambda: len(told(router)) == 2, "it is told")
    assert sorted(each for study in told(router) for each in study["instances"]) == uids(
        files + more
    )
    until(lambda: not router.ask("status")["summary"]["instances"], "now the files may go")


def test_who_fails_is_asked_again_and_status_says_so_without_its_words(run_router, tmp_path):
    router = start(run_router, tmp_path, "200 ms")
    (router.directory / "told").mkdir(exist_ok=True)
    (router.directory / "told" / "failing").touch()
    files = generate(tmp_path / "sent", 2)
    send(router, "radiology", files)
    until(lambda: "study.failed" in router.log.read_text(), "it failed")
    until(lambda: "told" in router.command("status").stdout, "status knows")
    status = router.command("status")
    assert status.returncode == 1
    assert "route research: plugin told fails to be told of 1 complete study" in status.stdout
    assert "ValueError at" in status.stdout
    where = router.command("where", uids(files)[0])
    assert "route research: its study is complete" in where.stdout
    assert "Secret" not in router.log.read_text() + status.stdout + where.stdout
    assert router.ask("status")["summary"]["instances"] == 2


def test_status_and_where_say_what_waits_for_its_study(run_router, tmp_path):
    router = start(run_router, tmp_path, "1 h")
    files = generate(tmp_path / "sent", 2)
    send(router, "radiology", files)
    until(lambda: len(arrived(router, "vna")) == 2, "the copies are made")
    status = router.command("status")
    assert status.returncode == 0, status.stdout
    assert "route whole: 1 study is not complete yet" in status.stdout
    assert "whole (" in status.stdout
    where = router.command("where", uids(files)[0])
    assert "whole: queued: its study is not complete" in where.stdout
    assert "route whole: its study is complete when nothing more of it came until" in where.stdout
