"""Whatever happens, in whatever order: what was acknowledged arrives, whole, and not for ever."""

import shutil
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from router.wire import WireError
from tests.story.peers import RunningRouter, until

from .modality import Sender, found
from .scripted import ScriptedScp

CONFIG = """\
spool: {{directory: ./spool, keep_free: {keep_free}}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {pacs}, retry: {{first: 50 ms, longest: 100 ms}}}}
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm"}}
routes:
  - {{name: everything, to: [pacs, vna]}}
processing: {{workers: 1}}
"""
OUT_OF_RESOURCES = 0xA700
ENOUGH, MORE_THAN_THERE_IS = "0", "1000 TB"


class Histories(RuleBasedStateMachine):
    """A router, its modalities, a PACS that comes and goes, and a folder."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="history"))
        self.pacs = ScriptedScp()
        self.pacs_is_up = True
        self.keep_free = ENOUGH
        self.router = RunningRouter(self.directory, self.config())
        self.router.start()
        self.senders: list[Sender] = []
        self.settled: dict[str, int] = {}  # by SOP Instance UID: how often it had been received
        self.interruptions = 0  # each may cost repeats of what was under way

    def config(self) -> str:
        return CONFIG.format(keep_free=self.keep_free, pacs=self.pacs.port)

    @property
    def acknowledged(self) -> set[str]:
        return set().union(*(sender.acknowledged for sender in self.senders))

    @rule(
        counts=st.lists(st.integers(1, 12), min_size=1, max_size=3),
        pixels=st.sampled_from([64, 5000, 200_000]),
    )
    def send(self, counts: list[int], pixels: int) -> None:
        statuses: list[int] = []
        self.wait_for(self.start_senders(counts, pixels, statuses))
        expected = 0 if self.keep_free == ENOUGH else OUT_OF_RESOURCES
        assert statuses == [expected] * sum(counts)

    @rule(
        counts=st.lists(st.integers(10, 60), min_size=1, max_size=3),
        pixels=st.sampled_from([64, 5000, 200_000]),
        moment=st.floats(0, 0.3),
    )
    def is_killed_while_it_receives(self, counts: list[int], pixels: int, moment: float) -> None:
        sending = self.start_senders(counts, pixels, [])
        time.sleep(moment)
        self.router.kill()
        self.wait_for(sending)
        self.interruptions += 1
        self.router.start()

    @rule(killed=st.booleans(), keep_free=st.sampled_from([ENOUGH, MORE_THAN_THERE_IS]))
    def restart(self, killed: bool, keep_free: str) -> None:
        if killed:
            self.interruptions += 1
            self.router.kill()
        else:
            assert self.router.stop() == 0
        self.keep_free = keep_free
        self.router.config.write_text(self.config())
        self.router.start()

    @rule(broken=st.booleans(), keep_free=st.sampled_from([ENOUGH, MORE_THAN_THERE_IS]))
    def reload_while_it_receives(self, broken: bool, keep_free: str) -> None:
        sending = self.start_senders([8, 8], 5000, [])
        if broken:
            self.router.config.write_text(self.config() + "rotues: []\n")
            assert self.router.command("reload").returncode == 2
        else:
            self.keep_free = keep_free
        self.router.config.write_text(self.config())
        assert self.router.command("reload").returncode == 0
        self.wait_for(sending)

    @precondition(lambda self: self.pacs_is_up)
    @rule()
    def pacs_goes_down(self) -> None:
        self.interruptions += 1
        self.pacs.close()
        self.pacs_is_up = False

    @precondition(lambda self: not self.pacs_is_up)
    @rule()
    def pacs_comes_up(self) -> None:
        self.pacs.start()
        self.pacs_is_up = True

    @rule(destination=st.sampled_from(["pacs", "vna"]), action=st.sampled_from(["pause", "resume"]))
    def pause_or_resume(self, destination: str, action: str) -> None:
        self.router.ask(action, destination=destination)

    @rule()
    def settle(self) -> None:
        """Everything is up and has room; what arrives then has arrived for good."""
        if not self.pacs_is_up:
            self.pacs_comes_up()
        for destination in ("pacs", "vna"):
            self.router.ask("resume", destination=destination)
        until(lambda: not self.missing(), f"lost: {self.missing()}", 30)
        until(self.is_idle, "nothing waits", 30)
        received = Counter(self.pacs.received)
        for uid in self.acknowledged:
            assert received[uid] == self.settled.get(uid, received[uid]), "it was sent once more"
            assert received[uid] <= 1 + self.interruptions
            self.settled[uid] = received[uid]

    def missing(self) -> set[str]:
        kept = {path.stem for path in (self.directory / "vna").glob("*.dcm")}
        return self.acknowledged - (kept & set(self.pacs.answered))

    def is_idle(self) -> bool:
        summary = self.router.ask("status")["summary"]
        return not any(each["queued"] or each["held"] for each in summary["destinations"])

    def teardown(self) -> None:
        try:
            self.settle()
            made = {uid: each for sender in self.senders for uid, each in sender.made.items()}
            for kept in (self.pacs.hashes, found([*(self.directory / "vna").glob("*.dcm")])):
                assert all(made[uid].sha256 == sha256 for uid, sha256 in kept.items())
            assert not list(self.directory.rglob("*.part"))
        finally:
            self.router.close()
            self.pacs.close()
            shutil.rmtree(self.directory)

    def start_senders(
        self, counts: list[int], pixels: int, statuses: list[int]
    ) -> list[threading.Thread]:
        """One association each; what they were answered is added to `statuses`."""
        port = self.router.port("modalities")

        def send(sender: Sender, count: int) -> None:
            with suppress(WireError):
                statuses.extend(sender.send(count))

        threads = []
        for count in counts:
            self.senders.append(Sender(port, len(self.senders), pixels))
            threads.append(threading.Thread(target=send, args=(self.senders[-1], count)))
            threads[-1].start()
        return threads

    def wait_for(self, threads: list[threading.Thread]) -> None:
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


def run(examples: int, steps: int, derandomize: bool) -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=derandomize,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # a shorter history costs more minutes than it saves
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_short_histories_lose_nothing():
    run(examples=7, steps=9, derandomize=True)


@pytest.mark.soak
def test_long_histories_lose_nothing():
    run(examples=200, steps=25, derandomize=False)
