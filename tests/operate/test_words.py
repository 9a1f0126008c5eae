"""`status` in words: what needs attention, as a table, and the whole on one page."""

from datetime import UTC, datetime, timedelta

import pytest

from router.operate.words import describe, duration, needs_attention, size

NOW = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)


def ago(**time: float) -> str:
    return (NOW - timedelta(**time)).isoformat()


def destination(**more: object) -> dict:
    return {
        "destination": "pacs",
        "queued": 0,
        "sending": 0,
        "held": 0,
        "studies_waiting": 0,
        "bytes_waiting": 0,
        "oldest": None,
        "last_success": ago(minutes=2),
        "failing_since": None,
        "last_status": None,
        "last_comment": "",
        "paused": False,
    } | more


WAITING = {"queued": 1204, "studies_waiting": 3, "bytes_waiting": 650_000_000}
OUTAGE = {"since": ago(hours=2), "failures": 7, "reason": "Connection refused"}
SINCE_2_H = f"{datetime.fromisoformat(ago(hours=2)).astimezone():%Y-%m-%d %H:%M} (2 h)"


def studies(state: str, count: int, plugin: str = "", reason: str = "") -> dict:
    found = {"route": "research", "state": state, "count": count, "oldest": ago(minutes=1)}
    return found | {"plugin": plugin, "reason": reason}


def status(**more: object) -> dict:
    space = {"directory": "/spool", "free": 50_000_000_000, "keep_free": 5_000_000_000}
    summary = {
        "destinations": [destination()],
        "copies_waiting": 0,
        "held_copies": [],
        "held_instances": [],
        "refusals": [],
        "instances": 12,
        "spool_bytes": 6_000_000,
        "missing_files": 0,
        "failed": None,
        "studies": [],
    }
    found = {
        "running": True,
        "version": "0.1.0",
        "pid": 1,
        "config": "config.yaml",
        "started": ago(days=3),
        "plugins": [],
        "listeners": [
            {
                "name": "radiology",
                "bind": "0.0.0.0",
                "port": 11112,
                "ae_title": ["ROUTER"],
                "associations": 1,
            }
        ],
        "outages": {},
        "destinations": {"pacs": "PACS@pacs.example:104"},
        "space": space,
        "summary": summary,
    }
    for key, value in more.items():
        (summary if key in summary else space if key in space else found)[key] = value
    return found


@pytest.mark.parametrize(
    ("found", "sentences"),
    [
        (status(), []),
        (status(destinations=[destination(**WAITING)]), []),
        (
            status(failed="cannot sync a file of the spool: Input/output error"),
            [
                "nothing more is accepted: cannot sync a file of the spool: Input/output error; "
                "mend that, then restart the router"
            ],
        ),
        (
            status(free=1_200_000_000),
            [
                "disk full: 1.2 GB free where 5.0 GB are to be kept free (spool.keep_free); "
                "C-STORE is answered 0xA700 until there is space on the disk of /spool"
            ],
        ),
        (
            status(destinations=[destination(paused=True, **WAITING)]),
            [
                "pacs is paused; 1,204 instances of 3 studies (650.0 MB) waiting "
                "(dicom-router resume pacs)"
            ],
        ),
        (
            status(outages={"pacs": OUTAGE}, destinations=[destination(**WAITING)]),
            [
                f"pacs (PACS@pacs.example:104) is down since {SINCE_2_H}: Connection refused; "
                "1,204 instances of 3 studies (650.0 MB) waiting"
            ],
        ),
        (status(outages={"pacs": OUTAGE}), []),
        (
            status(
                running=False,
                destinations=[
                    destination(**WAITING, failing_since=ago(hours=2), last_status=0xA700)
                ],
            ),
            [
                f"pacs (PACS@pacs.example:104) fails since {SINCE_2_H}: status 0xA700; "
                "1,204 instances of 3 studies (650.0 MB) waiting"
            ],
        ),
        (status(destinations=[destination(failing_since=ago(hours=2))]), []),
        (
            status(destinations=[destination(destination="old", **WAITING)]),
            ["old is not in the configuration; 1,204 instances of 3 studies (650.0 MB) waiting"],
        ),
        (
            status(destinations=[destination(held=2)]),
            ["pacs: 2 deliveries held (dicom-router queue list --destination pacs)"],
        ),
        (
            status(
                held_copies=[
                    {
                        "route": "research",
                        "reason": "ValueError at deid.py:7",
                        "plugin": "deid",
                        "hook": "rewrite_instance",
                        "count": 1,
                        "oldest": ago(hours=1),
                    }
                ]
            ),
            [
                "route research: 1 copy held by deid: ValueError at deid.py:7 "
                "(dicom-router queue list --route research)"
            ],
        ),
        (
            status(
                held_copies=[
                    {
                        "route": "research",
                        "reason": "wait for the ethics board",
                        "plugin": "",
                        "hook": "",
                        "count": 30,
                        "oldest": ago(hours=1),
                    }
                ]
            ),
            [
                "route research: 30 copies held by an administrator: wait for the ethics board "
                "(dicom-router queue list --route research)"
            ],
        ),
        (
            status(
                held_instances=[{"reason": "no route applies", "count": 2, "oldest": ago(hours=1)}]
            ),
            ["2 instances held: no route applies (dicom-router queue list)"],
        ),
        (
            status(
                studies=[
                    studies("gathering", 4),
                    studies("complete", 2, plugin="webhook", reason="URLError at hook.py:9"),
                ]
            ),
            [
                "route research: plugin webhook fails to be told of 2 complete studies, and is "
                "told again: URLError at hook.py:9"
            ],
        ),
        (
            status(
                refusals=[
                    {
                        "listener": "radiology",
                        "calling_ae_title": "CT1",
                        "address": "10.1.4.7",
                        "status": 0x0124,
                        "reason": "No route takes it",
                        "count": 400,
                        "last": ago(minutes=5),
                    }
                ]
            ),
            [
                "refused at intake: 400 instances from CT1 (10.1.4.7), last 5 min ago, "
                "0x0124: No route takes it; the sender must send again"
            ],
        ),
        (
            status(
                refusals=[
                    {
                        "listener": "radiology",
                        "calling_ae_title": "",
                        "address": "10.1.4.7",
                        "status": None,
                        "reason": "TLS: peer did not return a certificate",
                        "count": 1,
                        "last": ago(minutes=5),
                    }
                ]
            ),
            [
                "1 association from 10.1.4.7 rejected, last 5 min ago: "
                "TLS: peer did not return a certificate"
            ],
        ),
    ],
)
def test_a_sentence_for_everything_somebody_should_look_at(found, sentences):
    assert needs_attention(found, NOW) == sentences


def test_the_page_when_all_is_well():
    started = f"{datetime.fromisoformat(ago(days=3)).astimezone():%Y-%m-%d %H:%M}"
    assert describe(status(), NOW) == (
        f"dicom-router 0.1.0 runs config.yaml since {started} (3 d).\n"
        "\n"
        "Nothing needs attention.\n"
        "\n"
        "radiology: listens on 0.0.0.0:11112 as ROUTER; 1 association open\n"
        "pacs (PACS@pacs.example:104): nothing waits; last delivery 2 min ago\n"
        "spool /spool: 12 instances, 6.0 MB; 50.0 GB free"
    )


def test_the_page_says_what_studies_are_waited_for():
    waiting = [studies("gathering", 1), studies("complete", 2)]
    assert describe(status(studies=waiting), NOW).splitlines()[-3:-1] == [
        "route research: 1 study is not complete yet",
        "route research: 2 studies are complete, and plugins are still to be told",
    ]


def test_the_page_says_how_long_plugins_take():
    times = {"plugin": "worklist", "hook": "rewrite_instance", "calls": 2000}
    page = describe(status() | {"plugins": [times | {"total": 8.0, "longest": 1.25}]}, NOW)
    assert page.splitlines()[-2] == (
        "plugin worklist: rewrite_instance called 2,000 times, 4.0 ms each, 1.2 s at most"
    )


def test_the_page_when_something_is_not():
    page = describe(status(running=False, missing_files=2, listeners=[], copies_waiting=1), NOW)
    assert page.startswith("No router runs on /spool; this is its queue.\n\nNeeds attention:\n")
    assert "  - 2 instances" in page or "of 2 instances" in page
    assert page.endswith("50.0 GB free; 1 copy to be processed")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (11_520, "3 h 12 min"),
        (86_400 * 40, "40 d"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5e13, "50.0 TB")],
)
def test_sizes(number, words):
    assert size(number) == words
