"""What the status page shows of each state a destination can be in."""

import re

import pytest

from router.operate.web_page import page
from tests.operate.test_words import NOW, OUTAGE, WAITING, ago, destination, status


def shown(*rows, **more):
    """The cells of the destinations' rows, as words."""
    found = status(**more, destinations=list(rows))
    found = {"scheduled": {}, "generation": 7, "applied": ago(days=1), "refused": None} | found
    table = re.search(r"<h2>Destinations</h2>.*?<tbody>(.*?)</tbody>", page(found, NOW))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", table[1])
    return [re.sub(r"<[^>]+>", " ", cell).split() for cell in cells]


@pytest.mark.parametrize(
    ("row", "more", "state"),
    [
        ({}, {}, "up"),
        ({"sending": 2}, {}, "sending"),
        ({"paused": True}, {}, "paused"),
        ({}, {"outages": {"pacs": OUTAGE | {"stand_in": None}}}, "down since"),
        ({}, {"outages": {"pacs": OUTAGE | {"stand_in": "b"}}}, "b takes over"),
        (WAITING | {"oldest": ago(hours=1), "failing_since": ago(hours=1)}, {}, "fails since"),
        ({}, {"scheduled": {"pacs": ago(hours=-2)}}, "outside its schedule until"),
    ],
)
def test_a_destination_says_its_state(row, more, state):
    assert state in " ".join(shown(destination(**row), **more)[1])


def test_what_waits_says_how_much_and_since_when():
    row = destination(**WAITING, oldest=ago(hours=2))
    waiting = " ".join(shown(row)[2])
    assert waiting.startswith("1,204 instances of 3 studies (650.0 MB) since ")
    assert waiting.endswith("(2 h)")
    assert shown(destination())[2] == ["nothing"]


def test_what_somebody_retrieves_is_no_destination():
    rows = [destination(), destination(destination="retrieve:3:WS1", **WAITING)]
    assert shown(*rows) == shown(destination())
