"""A configuration that changes while a router runs by the one before."""

import json
import os
import re
import signal
import socket
import threading

from pydicom import dcmread

from router.wire import Peer, connect
from tests.story.peers import until
from tests.story.sending import Sender, generate, store

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
CONFIG = """\
spool: {{directory: ./spool, keep_free: 0, retain: 0 s}}
processing: {{workers: 1}}
listeners:
  dicom: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm"}}
  other: {{type: folder, directory: ./other, path: "{{SOPInstanceUID}}.dcm"}}
routes:
  - {{name: all, {chain}to: [{to}]}}
{more}
"""
PLUGIN = """\
import helper
from router import hookimpl

class Stamp:
    @hookimpl
    def rewrite_instance(self, instance):
        instance.dataset.InstitutionName = helper.TEXT
"""
DOES_NOT_START = """\
from router import hookimpl

class Mine:
    @hookimpl
    def startup(self, context):
        raise ValueError("no")

    @hookimpl
    def rewrite_instance(self, instance): ...
"""


def written(port=0, to="vna", chain="", more=""):
    return CONFIG.format(port=port, to=to, chain=chain, more=more)


def reload(router):
    """What the command says, and its exit code."""
    done = router.command("reload", "--json")
    return done.returncode, json.loads(done.stdout)["result"] if done.stdout else done.stderr


def generation(router):
    return router.ask("status")["generation"]


def refused(router):
    found = router.ask("status")["refused"]
    return found and found["reason"]


def associate(router):
    peer = Peer("127.0.0.1", router.port("dicom"), "ROUTER", "CT1")
    return connect(peer, [(CT, [EXPLICIT])])


def files(router, folder="vna"):
    return sorted(path.name for path in (router.directory / folder).glob("*.dcm"))


def institution(router, path):
    return dcmread(router.directory / "vna" / path.name).InstitutionName


def test_a_saved_file_is_in_effect_without_anybody_asking(run_router, tmp_path):
    router = run_router(written())
    router.config.write_text(written(to="other"))
    until(lambda: generation(router) == 2, "it is in effect")
    [path] = generate(tmp_path / "sent", 1)
    association = associate(router)
    assert store(association, path) == 0
    association.release()
    until(lambda: files(router, "other") == [path.name], "it goes where the new file says")


def test_an_association_ends_on_the_generation_it_began_with(run_router, tmp_path):
    router = run_router(written())
    first, second = generate(tmp_path / "sent", 2)
    association = associate(router)
    assert store(association, first) == 0
    router.config.write_text(written(to="other"))
    assert reload(router) == (0, "applied") or generation(router) == 2
    assert store(association, second) == 0
    association.release()
    until(lambda: len(files(router)) == 2, "both go where its generation says")
    assert files(router, "other") == []
    until(lambda: "generation.ended number=1" in router.log.read_text(), "nobody needs it")


def test_what_is_released_goes_by_the_new_chain_though_its_association_is_open(
    run_router, tmp_path
):
    router = run_router(written(chain="chain: [set: {InstitutionName: '{StationName}'}], "))
    [path] = generate(tmp_path / "sent", 1)
    association = associate(router)
    assert store(association, path) == 0
    until(lambda: router.ask("status")["summary"]["held_copies"], "the station is missing")
    router.config.write_text(written(chain="chain: [set: {InstitutionName: Repaired}], "))
    reload(router)
    assert router.command("queue", "release").returncode == 0
    until(lambda: files(router) == [path.name], "it goes on")
    assert institution(router, path) == "Repaired"
    association.release()


def test_what_cannot_be_used_changes_nothing_and_is_told_everywhere(run_router):
    router = run_router(written())
    before = router.config.read_text()
    router.config.write_text(before.replace("to: [vna]", "to: [vnaa]"))
    done = router.command("reload")
    assert done.returncode == 2
    assert re.search(r"config.yaml:\d+:\d+: .*unknown destination 'vnaa'", done.stderr)
    assert "vnaa" in refused(router)
    assert "config.refused" in router.log.read_text()
    status = router.command("status")
    assert status.returncode == 1
    assert "generation 1 is: " in " ".join(status.stdout.split())
    router.config.write_text(before[: len(before) // 2])
    until(lambda: "vnaa" not in (refused(router) or ""), "the half-written file is looked at")
    router.config.unlink()
    until(lambda: "cannot be read" in (refused(router) or ""), "it is gone")
    assert generation(router) == 1
    router.config.write_text(before)
    until(lambda: refused(router) is None, "it is as it was")
    assert generation(router) == 1
    assert router.port("dicom")


def test_a_plugin_that_does_not_import_or_start_and_a_port_in_use_are_refused(run_router):
    router = run_router(written())
    plugin = router.directory / "mine.py"
    plugin.write_text("import nothing_like_that\n")
    chained = 'chain: ["mine.py:Mine"], '
    router.config.write_text(written(chain=chained))
    assert reload(router)[0] == 2
    assert "nothing_like_that" in refused(router)
    plugin.write_text(DOES_NOT_START)
    assert reload(router)[0] == 2
    assert "startup failed" in refused(router)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        router.config.write_text(written(port=taken.getsockname()[1]))
        assert reload(router)[0] == 1
        assert "cannot listen on 127.0.0.1" in refused(router)
    assert generation(router) == 1
    association = associate(router)
    association.release()


def test_a_plugin_and_what_it_imports_are_loaded_fresh(run_router, tmp_path):
    directory = tmp_path / "router"
    directory.mkdir()
    (directory / "stamp.py").write_text(PLUGIN)
    (directory / "helper.py").write_text("TEXT = 'one'\n")
    router = run_router(written(chain='chain: ["stamp.py:Stamp"], '))
    sent = generate(tmp_path / "sent", 3)
    for path, text in zip(sent, ["one", "two", "three"], strict=True):
        (directory / "helper.py").write_text(f"TEXT = '{text}'\n")
        reload(router)
        association = associate(router)
        assert store(association, path) == 0
        association.release()
        until(lambda name=path.name: name in files(router), "it is delivered")
        assert institution(router, path) == text
    (directory / "stamp.py").write_text(PLUGIN.replace("helper.TEXT", "'changed'"))
    assert reload(router) in [(0, "applied"), (0, "unchanged")]
    association = associate(router)
    [last] = generate(tmp_path / "last", 1)
    assert store(association, last) == 0
    association.release()
    until(lambda: last.name in files(router), "it is delivered")
    assert institution(router, last) == "changed"


def test_a_listener_that_stays_keeps_its_associations_and_one_that_moves_refuses_nobody(
    run_router, free_port, tmp_path
):
    old, new = free_port(), free_port()
    router = run_router(written(port=old))
    association = associate(router)
    router.config.write_text(written(port=old, to="other"))
    reload(router)
    assert store(association, generate(tmp_path / "a", 1)[0]) == 0
    router.config.write_text(written(port=new))
    reload(router)
    assert router.port("dicom") == new
    assert store(association, generate(tmp_path / "b", 1)[0]) == 0
    associate(router).release()
    association.release()
    until(lambda: not _connects(old), "nobody listens on the old port")


def _connects(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_another_address_on_the_same_port_takes_over_without_refusing_anybody(
    run_router, free_port, tmp_path
):
    port = free_port()
    router = run_router(written(port=port))
    sender = Sender(generate(tmp_path / "sent", 20), port)
    failures, stop = [], threading.Event()

    def knock():
        while not stop.is_set():
            if not _connects(port):
                failures.append(port)

    knocking = threading.Thread(target=knock)
    knocking.start()
    sender.start()
    for bind in ("0.0.0.0", "127.0.0.1", "0.0.0.0"):
        router.config.write_text(written(port=port).replace("127.0.0.1", bind))
        reload(router)
    stop.set()
    knocking.join()
    sender.join(60)
    assert failures == []
    assert len(sender.acknowledged) == 20
    assert router.ask("status")["listeners"][0]["bind"] == "0.0.0.0"


def test_sighup_reads_it_again(run_router):
    router = run_router(written())
    router.config.write_text(written(to="other"))
    os.kill(router.process.pid, signal.SIGHUP)
    until(lambda: generation(router) == 2, "it is in effect")


def test_history_and_rollback_byte_for_byte(run_router):
    first = "# mine: ünïcode\n" + written() + "# the end, without a line end"
    router = run_router(first)
    router.config.write_text(written(to="other"))
    reload(router)
    router.config.write_text(written(to="none"))
    assert reload(router)[0] == 2
    done = router.command("rollback", check=True)
    assert router.config.read_text() == written(to="other"), done.stdout
    done = router.command("rollback", check=True)
    assert router.config.read_bytes() == first.encode()
    listed = json.loads(router.command("history", "--json", check=True).stdout)
    assert [(each["number"], each["result"]) for each in listed][:3] == [
        (1, "applied"), (2, "applied"), (3, "refused"),
    ]  # fmt: skip
    assert listed[-1]["by"] == "rollback 1"
    assert all(each["who"] for each in listed)
    kept = [path for path in (router.spool / "history").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert router.command("rollback", "77").returncode == 1
    assert router.command("rollback", "2").returncode == 0
    assert router.config.read_text() == written(to="other")


def access(path):
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_gid


def test_a_deleted_file_is_brought_back_whether_or_not_a_router_runs(run_router):
    router = run_router(written())
    router.config.write_text(written(to="other"))
    router.config.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(router.config, 12345, 54321)
    as_it_was = access(router.config)
    reload(router)
    router.config.unlink()
    assert router.command("history", check=True).stdout.count(" applied ") == 2
    done = router.command("rollback")
    assert done.stdout == "nothing has changed: generation 2 stays in effect\n"
    assert router.config.read_text() == written(to="other")
    router.stop()
    router.config.unlink()
    done = router.command("rollback")
    assert done.stdout == "generation 2 is written back; no router runs\n"
    assert router.config.read_text() == written(to="other")
    assert access(router.config) == as_it_was


def test_a_file_that_never_was_has_no_history(run_router):
    router = run_router(written())
    for command in ("history", "rollback"):
        done = router.command(command, "--config", str(router.directory / "other.yaml"))
        assert done.returncode == 2
        assert "other.yaml is not there, and" in done.stderr
    assert generation(router) == 1


def test_history_goes_on_after_a_restart(run_router):
    router = run_router(written())
    router.config.write_text(written(to="other"))
    reload(router)
    router.stop()
    router.start()
    assert generation(router) == 2
    router.stop()
    assert router.command("rollback").returncode == 0
    assert router.config.read_text() == written()
    router.start()
    assert generation(router) == 3


def test_what_needs_a_restart_is_said(run_router):
    router = run_router(written())
    router.config.write_text(written().replace("./spool", "./elsewhere"))
    until(lambda: refused(router), "it is refused")
    assert "config.yaml:1:9: spool.directory: needs a restart" in refused(router)


def removed(when, host="nowhere.invalid"):
    """A destination that nothing gets through to, and how it is to go."""
    gone = f"  gone: {{ae_title: GONE, host: {host}, when_removed: {when}}}\nroutes:"
    return written(to="gone").replace("routes:", gone)


def send_one(router, directory):
    [path] = generate(directory, 1)
    association = associate(router)
    assert store(association, path) == 0
    association.release()
    return path


def test_a_destination_that_something_waits_for_cannot_go(run_router, tmp_path):
    router = run_router(removed("refuse"))
    send_one(router, tmp_path / "sent")
    until(lambda: router.ask("queue count", destination="gone") == 1, "it waits")
    router.config.write_text(written())
    assert reload(router)[0] == 2
    assert "config.yaml:5:1: destinations.gone: is gone, and 1 wait for it" in refused(router)
    assert router.command("queue", "discard", "--destination", "gone", "--reason", "x", "--yes")
    until(lambda: router.ask("queue count", destination="gone") == 0, "nothing waits")
    assert reload(router) == (0, "applied")


def _state(router, path):
    [instance] = router.ask("where", uid=path.stem)["instances"]
    return instance["deliveries"][0]["state"]


def test_a_destination_may_go_and_what_waits_is_discarded_with_a_record(run_router, tmp_path):
    router = run_router(removed("discard"))
    path = send_one(router, tmp_path / "sent")
    until(lambda: router.ask("queue count", destination="gone") == 1, "it waits")
    router.config.write_text(written())
    until(lambda: _state(router, path) == "discarded", "it is discarded")
    said = "destination.discarded destination=gone count=1"
    until(lambda: said in router.log.read_text(), "it is told")


def test_a_destination_that_goes_gets_what_waits_for_it_also_after_a_restart(
    run_router, tmp_path, storescp
):
    peer = storescp("GONE", start=False)
    drained = removed("drain", f"127.0.0.1, port: {peer.port}, retry: {{first: 1 s, longest: 1 s}}")
    router = run_router(drained)
    send_one(router, tmp_path / "sent")
    until(lambda: router.ask("queue count", destination="gone") == 1, "it waits")
    router.config.write_text(written())
    until(lambda: generation(router) == 2, "it may go")
    router.stop()
    router.start()
    assert router.ask("queue count", destination="gone") == 1
    peer.start()
    until(lambda: peer.files(), "it is delivered by the settings it had")
    router.config.write_text(written() + "# again")
    until(lambda: "gone" not in router.ask("status")["destinations"], "it has left")


def test_what_waits_goes_by_the_new_settings(run_router, tmp_path, storescp):
    peer = storescp("GONE")
    router = run_router(removed("refuse"))
    send_one(router, tmp_path / "sent")
    until(lambda: router.ask("status")["outages"], "it cannot be reached")
    router.config.write_text(removed("refuse", f"127.0.0.1, port: {peer.port}"))
    until(lambda: peer.files(), "it is delivered where it is now")
