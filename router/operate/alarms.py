"""Somebody is told when a destination fails, or deliveries wait for it, for too long; and when what
TLS needs is about to expire.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from router.config.expiry import OVER, expiring
from router.config.schedule import is_open
from router.spool import SpoolError

if TYPE_CHECKING:
    from pathlib import Path

    from router.config import Alerts, Config
    from router.spool import Ledger
    from router.spool.reports import Waiting

log = logging.getLogger("router.alarms")

Event = Literal["destination.failing", "delivery.waiting", "delivery.discarded"]

_LOOK_EVERY = 60.0  # seconds at most
_DISCARDED_AGAIN = timedelta(hours=1)
_FULL = "full:"  # the ledger's topic
_TOLD_WITHIN = 30.0  # seconds that a command or a webhook may take


@dataclass(frozen=True)
class Alarm:
    """What is told; names no patient, and quotes no peer, who may.

    `after` is the time of `alerts.after` that is over, in seconds; `status` the last DIMSE status.
    """

    event: Event
    destination: str
    since: str
    after: float
    status: int | None

    def __str__(self) -> str:
        return (
            f"{self.event} destination={self.destination} since={self.since} "
            f"after={self.after:.0f}s "
            f"status={'-' if self.status is None else f'0x{self.status:04X}'}"
        )


@dataclass(frozen=True)
class ExpiryAlarm:
    """A certificate or revocation list should be renewed; `key` is where it is used."""

    event: Literal["tls.expiring", "tls.expired"]
    key: str
    file: str
    until: str

    def __str__(self) -> str:
        return f"{self.event} key={self.key} file={self.file} until={self.until}"


class Alarms(threading.Thread):
    """Looks now and then, and tells each alarm once for each time in `alerts.after`."""

    def __init__(self, ledger: Ledger, config: Config, directory: Path) -> None:
        super().__init__(name="alarms", daemon=True)
        self._ledger = ledger
        self._config = config
        self._directory = directory
        self._after = sorted(config.alerts.after)
        self._opened: dict[str, datetime] = {}  # when a schedule was last seen closed
        self._told: dict[str, int] = {}  # how many of `after`, by destination
        self._full: set[str] = set()  # destinations that went without since the last look
        self._discarded: dict[str, datetime] = {}  # when that was last told
        self._expiring: dict[object, int] = {}  # the stage that was told of what is to be renewed
        self._wake = threading.Event()
        self._stopping = False
        ledger.subscribe(self._heard)

    def _heard(self, topics: set[str]) -> None:
        names = (topic.removeprefix(_FULL) for topic in topics if topic.startswith(_FULL))
        self._full.update(names)

    @property
    def active(self) -> dict[str, int]:
        """How many times of `alerts.after` the trouble of each destination has lasted."""
        return dict(self._told)

    def run(self) -> None:
        while not self._waited():
            try:
                alarms = self.look(datetime.now(UTC))
            except SpoolError:
                log.exception("alarms.failed")
                continue
            for alarm in alarms:
                threading.Thread(
                    target=tell, args=(alarm, self._config.alerts, self._directory), daemon=True
                ).start()

    def _waited(self) -> bool:
        """Whether to stop, after as long as may pass between two looks."""
        self._wake.wait(min([_LOOK_EVERY, *(after / 4 for after in self._after)]))
        self._wake.clear()
        return self._stopping

    def follow(self, config: Config) -> None:
        """Tell by this configuration from now on."""
        self._config = config
        self._after = sorted(config.alerts.after)
        self._wake.set()  # its times may be shorter than what is still to be waited

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def look(self, now: datetime) -> list[Alarm | ExpiryAlarm]:
        """What has to be told now."""
        return [*self._look_at_destinations(now), *self._look_at_files(now)]

    def _look_at_files(self, now: datetime) -> list[ExpiryAlarm]:
        """Certificates and lists, each when it has come nearer to its end than was told."""
        found = expiring(self._config, now)
        before = self._expiring
        self._expiring = {(each.place, each.file): each.stage for each in found}
        return [
            ExpiryAlarm(
                "tls.expired" if each.stage == OVER else "tls.expiring",
                ".".join(each.place),
                each.file,
                each.until.isoformat(),
            )
            for each in found
            if each.stage > before.get((each.place, each.file), 0)
        ]

    def _look_at_destinations(self, now: datetime) -> list[Alarm]:
        for name, settings in self._config.destinations.items():
            if not is_open(settings.schedule, now.astimezone(self._config.timezone)):
                self._opened[name] = now
        waiting = {each.destination: each for each in self._ledger.waiting()}
        alarms = self._going_without(now)
        for name in waiting.keys() | self._told.keys():
            passed, before = 0, self._told.get(name, 0)
            if each := waiting.get(name):
                since = each.failing_since or each.oldest
                since = max(since, self._opened.get(name, since))
                passed = sum((now - since).total_seconds() >= after for after in self._after)
                if passed > before:
                    alarms.append(self._alarm(each, since, self._after[passed - 1]))
            if passed:
                self._told[name] = passed
            elif before:
                del self._told[name]
                log.info("alarm.over destination=%s", name)
        return alarms

    def _going_without(self, now: datetime) -> list[Alarm]:
        """Destinations whose `spool_limit` is reached, each once an hour while that goes on."""
        alarms = []
        for name in list(self._full):
            self._full.discard(name)
            if now - self._discarded.get(name, now - _DISCARDED_AGAIN) >= _DISCARDED_AGAIN:
                self._discarded[name] = now
                alarms.append(Alarm("delivery.discarded", name, now.isoformat(), 0.0, None))
        return alarms

    @staticmethod
    def _alarm(waiting: Waiting, since: datetime, after: float) -> Alarm:
        failing = waiting.failing_since is not None
        event: Event = "destination.failing" if failing else "delivery.waiting"
        return Alarm(event, waiting.destination, since.isoformat(), after, waiting.last_status)


def tell(alarm: Alarm | ExpiryAlarm, alerts: Alerts, directory: Path) -> None:
    """Log an alarm and give it to the command and the webhook, as JSON; failures are logged."""
    log.error("%s", alarm)
    text = json.dumps(asdict(alarm)).encode()
    if alerts.command:
        _run(alerts.command, text, directory)
    if alerts.webhook:
        _post(alerts.webhook, text)


def _run(command: tuple[str, ...], text: bytes, directory: Path) -> None:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=directory,
            start_new_session=True,  # so that what it starts can be ended with it
        )
    except OSError as error:
        log.error("alarm.command.failed command=%s reason=%s", command[0], error.strerror)
        return
    reason = ""
    try:
        process.communicate(text, timeout=_TOLD_WITHIN)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        reason = f"not done within {_TOLD_WITHIN:.0f} s"
    if process.returncode or reason:
        reason = reason or f"exit code {process.returncode}"
        log.error("alarm.command.failed command=%s reason=%s", command[0], reason)


def _post(address: str, text: bytes) -> None:
    request = urllib.request.Request(
        address, data=text, headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_TOLD_WITHIN):
            pass
    except (OSError, ValueError) as error:
        # The address itself may hold a secret.
        why = getattr(error, "reason", None) or type(error).__name__
        log.error("alarm.webhook.failed reason=%s", why)
