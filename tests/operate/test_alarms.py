"""Who is told when a destination fails or something waits for too long, and what."""

import http.server
import json
import logging
import math
import threading
from datetime import UTC, datetime, timedelta

import pytest

from router.config import load
from router.operate import alarms as module
from router.operate.alarms import Alarm, Alarms, ExpiryAlarm, tell
from router.spool import Attempt, PlannedCopy, Spool
from tests.certificates import Authority
from tests.spool.making import accept, planned

NOW = datetime(2024, 3, 6, 12, 0, tzinfo=UTC)  # a Wednesday
ALARM = Alarm("destination.failing", "pacs", NOW.isoformat(), 900.0, 0xA700)
CONFIG = "destinations: {{pacs: {{ae_title: PACS, host: h, schedule: {schedule}}}}}\n"


@pytest.fixture
def spool(tmp_path):
    with Spool(tmp_path / "spool") as opened:
        yield opened


def configured(tmp_path, schedule: str = "[]", alerts: str = "{}"):
    (tmp_path / "config.yaml").write_text(
        CONFIG.format(schedule=schedule) + f"timezone: UTC\nalerts: {alerts}\n"
    )
    return load(tmp_path / "config.yaml")


def fail(spool: Spool, at: datetime) -> None:
    [task] = spool.ledger.claim("pacs", 1)
    attempt = Attempt(task.delivery_id, at, "retry", 0xA700, "DOE^JOHN does not fit")
    spool.ledger.finish([attempt]).result(20)


def test_each_time_is_told_once_while_it_fails(spool, tmp_path):
    watch = Alarms(spool.ledger, configured(tmp_path), tmp_path)
    assert watch.look(NOW) == []
    accept(spool, planned("pacs"))
    fail(spool, NOW)
    told = []
    for minutes in (0, 14, 15, 16, 59, 61, 62, 24 * 60, 25 * 60, 1000 * 60):
        told += [(minutes, alarm) for alarm in watch.look(NOW + timedelta(minutes=minutes))]
    assert [(minutes, alarm.event, alarm.after) for minutes, alarm in told] == [
        (15, "destination.failing", 900),
        (61, "destination.failing", 3600),
        (24 * 60, "destination.failing", 86400),
    ]
    assert {alarm.since for _, alarm in told} == {NOW.isoformat()}


def test_a_new_outage_is_told_anew(spool, tmp_path, caplog):
    watch = Alarms(spool.ledger, configured(tmp_path), tmp_path)
    caplog.set_level(logging.INFO)
    for begin in (NOW, NOW + timedelta(hours=5)):
        accept(spool, planned("pacs"), received=begin)
        fail(spool, begin)
        assert len(watch.look(begin + timedelta(minutes=20))) == 1
        [task] = spool.ledger.claim("pacs", 1)
        spool.ledger.finish([Attempt(task.delivery_id, begin, "delivered", 0)]).result(20)
        assert watch.look(begin + timedelta(minutes=21)) == []
    assert [r.message for r in caplog.records].count("alarm.over destination=pacs") == 2


@pytest.mark.parametrize(
    ("schedule", "told"),
    [("[]", True), ("[Wed]", True), ("[Sat]", False), ("[Wed 11:55-24:00]", False)],
)
def test_what_waits_though_nothing_fails_is_told_unless_its_time_has_not_come(
    spool, tmp_path, schedule, told
):
    accept(spool, planned("pacs"))
    [waiting] = spool.ledger.waiting()
    weeks = (waiting.oldest - NOW) // timedelta(days=7) + 2
    wednesday = NOW + weeks * timedelta(days=7)
    watch = Alarms(spool.ledger, configured(tmp_path, schedule), tmp_path)
    found = [*watch.look(wednesday - timedelta(minutes=6)), *watch.look(wednesday)]
    assert [alarm.event for alarm in found] == ["delivery.waiting"] * told


def test_that_a_destination_goes_without_is_told_once_an_hour(spool, tmp_path):
    watch = Alarms(spool.ledger, configured(tmp_path), tmp_path)
    told = []
    for minutes in (0, 5, 61, 200):
        if minutes < 200:
            accept(spool, PlannedCopy("r", (), has_chain=False, full=("pacs",)))
        told += [(minutes, alarm) for alarm in watch.look(NOW + timedelta(minutes=minutes))]
    assert [(minutes, alarm.event, alarm.destination) for minutes, alarm in told] == [
        (0, "delivery.discarded", "pacs"),
        (61, "delivery.discarded", "pacs"),
    ]


def test_what_tls_needs_is_told_each_time_it_has_come_nearer_to_its_end(spool, tmp_path):
    authority = Authority(tmp_path / "ca", days=400)
    files = ("certificate: ca/router.pem", "key: ca/router.key", "client_certificate: none")

    def renewed(days: float):
        authority.issue("router", days=days)
        listeners = f"listeners: {{main: {{bind: 127.0.0.1, tls: {{{', '.join(files)}}}}}}}\n"
        (tmp_path / "config.yaml").write_text(listeners)
        return load(tmp_path / "config.yaml")

    now = datetime.now(UTC)
    watch = Alarms(spool.ledger, renewed(400), tmp_path)
    told = []
    for days in (0, 369, 371, 372, 394, 395, 401, 402):
        told += [(days, alarm) for alarm in watch.look(now + timedelta(days=days))]
    assert [(days, alarm.event, alarm.file) for days, alarm in told] == [
        (371, "tls.expiring", "router.pem"),
        (394, "tls.expiring", "router.pem"),
        (401, "tls.expired", "router.pem"),
    ]
    assert {alarm.key for _, alarm in told} == {"listeners.main.tls.certificate"}
    watch.follow(renewed(800))
    assert watch.look(now + timedelta(days=402)) == []
    assert len(watch.look(now + timedelta(days=801))) == 1


def test_an_expiry_is_logged_and_told_as_json(tmp_path, caplog):
    alarm = ExpiryAlarm("tls.expired", "listeners.a.tls.trust", "ca.pem", NOW.isoformat())
    tell(alarm, configured(tmp_path, alerts="{command: [sh, -c, 'cat > told']}").alerts, tmp_path)
    assert [record.message for record in caplog.records] == [
        f"tls.expired key=listeners.a.tls.trust file=ca.pem until={NOW.isoformat()}"
    ]
    assert json.loads((tmp_path / "told").read_text()) == {
        "event": "tls.expired",
        "key": "listeners.a.tls.trust",
        "file": "ca.pem",
        "until": NOW.isoformat(),
    }


def test_a_command_gets_it_as_json_and_no_shell_sees_it(tmp_path):
    script = tmp_path / "page.sh"
    script.write_text('#!/bin/sh\ncat > "told $1"\n')
    script.chmod(0o755)
    alerts = configured(tmp_path, alerts="{command: [./page.sh, '$(id); rm']}").alerts
    tell(ALARM, alerts, tmp_path)
    assert json.loads((tmp_path / "told $(id); rm").read_text()) == {
        "event": "destination.failing",
        "destination": "pacs",
        "since": NOW.isoformat(),
        "after": 900.0,
        "status": 0xA700,
    }


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("[./missing]", "No such file or directory"),
        ("['false']", "exit code 1"),
        ("[sh, -c, 'sleep 60 & wait']", "not done within 0 s"),
    ],
)
def test_a_command_that_fails_or_hangs_is_logged(tmp_path, caplog, monkeypatch, command, reason):
    if "sleep" in command:
        monkeypatch.setattr(module, "_TOLD_WITHIN", 0.2)
    tell(ALARM, configured(tmp_path, alerts=f"{{command: {command}}}").alerts, tmp_path)
    [first, second] = caplog.records
    assert first.levelname == second.levelname == "ERROR"
    assert first.message == (
        f"destination.failing destination=pacs since={NOW.isoformat()} after=900s status=0xA700"
    )
    assert second.message.startswith("alarm.command.failed")
    assert second.message.endswith(reason)


@pytest.fixture
def webhook():
    """An HTTP server that answers with `status` and keeps what it got."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.status = [], 204
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [204, 500])
def test_a_webhook_gets_it_by_post(tmp_path, caplog, webhook, status):
    webhook.status = status
    address = f"http://127.0.0.1:{webhook.server_port}/hook?key=secret"
    tell(ALARM, configured(tmp_path, alerts=f"{{webhook: '{address}'}}").alerts, tmp_path)
    [(kind, got)] = webhook.got
    assert (kind, got["destination"]) == ("application/json", "pacs")
    failures = [r.message for r in caplog.records if "webhook" in r.message]
    assert len(failures) == (status == 500)
    assert "secret" not in caplog.text


def test_a_webhook_nobody_answers_is_logged(tmp_path, caplog, free_port):
    address = f"http://127.0.0.1:{free_port()}/"
    tell(ALARM, configured(tmp_path, alerts=f"{{webhook: '{address}'}}").alerts, tmp_path)
    assert "alarm.webhook.failed reason=[Errno 111] Connection refused" in caplog.text


def test_the_watch_tells_by_itself(spool, tmp_path, wait_until):
    alerts = "{after: 100 ms, command: [sh, -c, 'cat > told']}"
    accept(spool, planned("pacs"))
    watch = Alarms(spool.ledger, configured(tmp_path, alerts=alerts), tmp_path)
    watch.start()
    wait_until(lambda: (tmp_path / "told").exists() and (tmp_path / "told").read_text())
    watch.stop()
    watch.join(20)
    assert json.loads((tmp_path / "told").read_text())["event"] == "delivery.waiting"


def test_shorter_times_count_at_once(spool, tmp_path, wait_until):
    accept(spool, planned("pacs"))
    watch = Alarms(spool.ledger, configured(tmp_path), tmp_path)
    watch.start()
    alerts = "{after: 100 ms, command: [sh, -c, 'echo > told']}"
    watch.follow(configured(tmp_path, alerts=alerts))
    wait_until((tmp_path / "told").exists)
    watch.stop()
    watch.join(20)


def test_without_times_nothing_is_told(spool, tmp_path):
    watch = Alarms(spool.ledger, configured(tmp_path, alerts="{after: []}"), tmp_path)
    accept(spool, planned("pacs"))
    assert watch.look(datetime.now(UTC) + timedelta(days=900)) == []
    assert math.isinf(configured(tmp_path).destinations["pacs"].bandwidth)
