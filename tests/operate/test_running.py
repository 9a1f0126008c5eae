"""A router as a process: how it starts, refuses to start, and ends."""

import ctypes
import json
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from router.dataset import open_part10
from router.wire import Peer, connect
from tests.story.peers import BOUND, DICOM_ROUTER, until
from tests.story.sending import Sender, content, generate

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  dicom: {{ae_title: ROUTER, port: {port}, bind: 127.0.0.1}}
destinations:
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm"}}
routes:
  - {{name: all, to: [vna]}}
{more}
"""


def test_one_router_for_one_spool_and_one_port(run_router, tmp_path, free_port):
    port = free_port()
    router = run_router(CONFIG.format(port=port, more=""))
    same_spool = router.command("run", str(router.config))
    assert same_spool.returncode == 1
    assert same_spool.stderr.endswith(
        f"not started: {router.spool} is in use by the router with process id "
        f"{router.process.pid}: stop it first\n"
    )
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "config.yaml"
    other.write_text(CONFIG.format(port=port, more=""))
    same_port = router.command("run", str(other))
    assert same_port.returncode == 1
    said = same_port.stderr.splitlines()[-1]
    assert said.startswith("not started: listener")
    assert "dicom" in said
    assert str(port) in said
    assert "address already in use" in said.lower()
    assert router.ask("status")["running"], "the first was not disturbed"
    assert router.stop() == 0


def test_sigterm_ends_it_in_good_order_while_it_receives(run_router, tmp_path):
    router = run_router(CONFIG.format(port=0, more=""))
    sender = Sender(generate(tmp_path / "sent", 800, pixels=20_000), router.port("dicom"))
    sender.start()
    until(lambda: len(sender.acknowledged) > 50, "it is receiving")
    stopped = threading.Timer(1.0, sender.stopping.set)
    stopped.start()
    assert router.stop() == 0
    sender.stopping.set()
    sender.join(BOUND)
    stopped.join()
    router.start()
    vna = router.directory / "vna"
    until(lambda: len(list(vna.glob("*.dcm"))) >= len(sender.acknowledged), "all is delivered")
    assert sender.acknowledged <= {content(path) for path in vna.glob("*.dcm")}
    assert "node.stopped" in router.log.read_text()
    assert "Traceback" not in router.log.read_text()


def test_sigterm_to_the_process_and_its_group_is_no_impatience(run_router):
    router = run_router(CONFIG.format(port=0, more=""))
    router.process.send_signal(signal.SIGTERM)
    router.process.send_signal(signal.SIGTERM)
    assert router.process.wait(BOUND) == 0


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_who_asks_again_while_it_ends_gets_it_ended_at_once(run_router, again):
    router = run_router(CONFIG.format(port=0, more=""))
    peer = Peer("127.0.0.1", router.port("dicom"), "ROUTER", "CT1")
    association = connect(peer, [(CTImageStorage, [ExplicitVRLittleEndian])])
    router.process.send_signal(signal.SIGTERM)
    until(lambda: "node.stopping" in router.log.read_text(), "it waits for the association")
    if again == signal.SIGTERM:
        time.sleep(1.5)  # what comes sooner is taken for the same request
    router.process.send_signal(again)
    assert router.process.wait(BOUND) == 1
    association.abort()
    assert "node.stopped" not in router.log.read_text()


def test_a_signal_is_heard_whichever_thread_it_reaches(run_router):
    """The kernel may choose any, and does so while a debugger looks at the main thread."""
    router = run_router(CONFIG.format(port=0, more=""))
    main = router.process.pid
    others = [int(each.name) for each in Path(f"/proc/{main}/task").iterdir()]
    other = next(thread for thread in others if thread != main)
    assert ctypes.CDLL(None).tgkill(main, other, signal.SIGTERM) == 0
    assert router.process.wait(BOUND) == 0


PLUGIN = """\
import threading

from router import hookimpl

class Dies:
    @hookimpl
    def startup(self, context):
        for name in ("mine", "housekeeping"):
            thread = threading.Thread(target=self._die, name=name)
            thread.start()
            thread.join()

    @hookimpl
    def accept_association(self, association): ...

    def _die(self):
        raise ValueError("Secret^Patient")
"""


def test_a_router_that_has_lost_a_part_of_itself_ends_and_says_so(tmp_path):
    (tmp_path / "dies.py").write_text(PLUGIN)
    config = tmp_path / "config.yaml"
    more = 'plugins: {dies: {use: "dies.py:Dies"}}'
    text = CONFIG.format(port=0, more=more)
    config.write_text(text.replace("bind: 127.0.0.1", "bind: 127.0.0.1, chain: [dies]"))
    ended = subprocess.run(
        [*DICOM_ROUTER, "run", str(config)], capture_output=True, text=True, timeout=BOUND
    )
    assert ended.returncode == 1
    assert "thread.failed thread=mine" in ended.stderr
    assert "thread.failed thread=housekeeping" in ended.stderr
    assert "node.stopped" in ended.stderr
    assert "Secret" not in ended.stderr


def test_what_cannot_be_walked_to_its_end_is_held_where_a_chain_would_change_it(
    run_router, tmp_path
):
    more = "  - {name: chained, chain: [set: {PatientName: X}], to: [vna]}"
    router = run_router(CONFIG.format(port=0, more=more))
    [path] = generate(tmp_path / "sent", 1)
    with path.open("ab") as file:
        file.write(b"\xe1\x7f\x10\x00ZZ\x02\x00P1")
    target = f"ROUTER@127.0.0.1:{router.port('dicom')}"
    assert router.command("send", target, str(path)).returncode == 0
    arrived = router.directory / "vna" / f"{path.stem}.dcm"
    until(arrived.exists, "the route without a chain has delivered it")
    sent, kept = open_part10(path), open_part10(arrived)
    assert arrived.read_bytes()[kept.dataset_offset :] == path.read_bytes()[sent.dataset_offset :]
    until(lambda: router.ask("status")["summary"]["held_copies"], "the other copy is held")
    [held] = router.ask("status")["summary"]["held_copies"]
    assert (held["route"], held["plugin"]) == ("chained", "set")


def test_demo_shows_the_whole_way():
    shown = subprocess.run(
        [*DICOM_ROUTER, "demo", "--studies", "2", "--slices", "3"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert shown.returncode == 0, shown.stderr
    assert "Every study is in PACS" in shown.stdout.replace("\n", " ")


def test_status_of_a_running_router_as_json(run_router):
    router = run_router(CONFIG.format(port=0, more=""))
    found = json.loads(router.command("status", "--json", check=True).stdout)
    assert found["running"] is True
    assert found["pid"] == router.process.pid
    assert found["attention"] == []
    assert found["listeners"][0]["ae_title"] == ["ROUTER"]
