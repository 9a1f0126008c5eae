"""The status page: what `dicom-router status` says, in its words, as HTML that needs no script."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from router.operate.web_style import STYLE
from router.operate.words import (
    ago,
    brief,
    counted,
    is_retrieve,
    moment,
    needs_attention,
    since_when,
    size,
    titles,
    what_waits,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from router.operate.words import Status

_AGAIN = 10  # seconds
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A dot in the browser's tab.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='7' fill='%23{}'/%3E%3C/svg%3E"
)
_DESTINATION_COLUMNS = ("Destination", "State", "Waiting", "Held", "Last delivery")
_LISTENER_COLUMNS = ("Listener", "Listens on", "As", "Associations open")
_PLUGIN_COLUMNS = ("Plugin", "Hook", "Calls", "Each", "At most")


class Html(str):
    """Text that is markup already; any other is escaped."""

    __slots__ = ()


def page(status: Status, now: datetime | None = None) -> str:
    """The whole page, of what `Live.status` tells."""
    now = now or datetime.now(UTC)
    attention = needs_attention(status, now)
    count = len(attention)
    title = f"{count} to look at" if attention else "well"
    icon = _ICON.format("c62828" if attention else "2e7d32")
    parts = [
        _header(status, now),
        "<main>",
        _attention(attention),
        _table("Destinations", _DESTINATION_COLUMNS, _destinations(status, now)),
        _configuration(status, now),
        _table("Listeners", _LISTENER_COLUMNS, _listeners(status)),
        _table("Plugins, since the start", _PLUGIN_COLUMNS, _plugins(status)),
        _spool(status),
        "</main>",
        _footer(now),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>dicom-router: {title}</title>"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{_AGAIN}">'
        f'<link rel="icon" href="{icon}"><style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _header(status: Status, now: datetime) -> str:
    began = escape(since_when(status["started"], now))
    return (
        f"<header><h1>dicom-router</h1><p>{escape(status['version'])} runs "
        f"{escape(status['config'])} since {began}</p></header>"
    )


def _attention(sentences: Sequence[str]) -> str:
    if not sentences:
        return '<section class="well">Nothing needs attention.</section>'
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<section class="attention"><h2>Needs attention</h2><ul>{items}</ul></section>'


def _configuration(status: Status, now: datetime) -> str:
    applied = since_when(status["applied"], now)
    lines = [f"Generation {status['generation']} is in effect since {applied}."]
    if refused := status["refused"]:
        when = since_when(refused["since"], now)
        lines.append(f"What was saved was refused, {when}:")
        lines += refused["mistakes"] or [refused["reason"]]
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f"<section><h2>Configuration</h2>{said}</section>"


def _destinations(status: Status, now: datetime) -> Iterator[Sequence[str]]:
    """In the order of the file, then what is not in it any more."""
    rows = {each["destination"]: each for each in status["summary"]["destinations"]}
    for name in dict.fromkeys([*status["destinations"], *rows]):
        row = rows[name]
        if is_retrieve(row):
            continue
        where = status["destinations"].get(name, "not in the configuration")
        yield (
            _with(escape(name), where),
            _state(row, status, now),
            _waiting(row, now),
            f"{row['held']:,}",
            ago(row["last_success"], now) if row["last_success"] else "none yet",
        )


def _waiting(row: Status, now: datetime) -> str:
    if not row["queued"]:
        return "nothing"
    amount = what_waits(row).removesuffix(" waiting")
    return _with(escape(amount), f"since {since_when(row['oldest'], now)}")


def _state(row: Status, status: Status, now: datetime) -> Html:
    """A word in its colour, and what belongs to it."""
    name = row["destination"]
    if outage := status["outages"].get(name):
        takes_over = f"; {outage['stand_in']} takes over" if outage["stand_in"] else ""
        return _coloured("bad", "down", f"since {since_when(outage['since'], now)}{takes_over}")
    if row["failing_since"] and row["queued"]:
        return _coloured("bad", "fails", f"since {since_when(row['failing_since'], now)}")
    if row["paused"]:
        return _coloured("warn", "paused")
    if opens := status["scheduled"].get(name):
        return _coloured("warn", "outside its schedule", f"until {moment(opens)}")
    return _coloured("good", "sending" if row["sending"] else "up")


def _coloured(colour: str, word: str, more: str = "") -> Html:
    return _with(f'<span class="state {colour}">{escape(word)}</span>', more)


def _with(markup: str, more: str) -> Html:
    """Something, and in small letters what belongs to it."""
    small = f"<small>{escape(more)}</small>" if more else ""
    return Html(f"<span>{markup}{small}</span>")


def _listeners(status: Status) -> Iterator[Sequence[str]]:
    for each in status["listeners"]:
        place = f"{each['bind']}:{each['port']}"
        yield each["name"], place, titles(each["ae_title"]), f"{each['associations']:,}"


def _plugins(status: Status) -> Iterator[Sequence[str]]:
    for each in status["plugins"]:
        mean = brief(each["total"] / each["calls"])
        most = brief(each["longest"])
        yield each["plugin"], each["hook"], f"{each['calls']:,}", mean, most


def _spool(status: Status) -> str:
    summary, space = status["summary"], status["space"]
    lines = [
        f"{space['directory']}: {counted(summary['instances'], 'instance')}, "
        f"{size(summary['spool_bytes'])}.",
        f"{size(space['free'])} free; with less than {size(space['keep_free'])} nothing is "
        "accepted.",
    ]
    if waiting := summary["copies_waiting"]:
        lines.append(f"{counted(waiting, 'copy', 'copies')} to be processed.")
    for each in summary["studies"]:
        studies = counted(each["count"], "study", "studies")
        lines.append(f"Route {each['route']}: {studies} {each['state']}.")
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f"<section><h2>Spool</h2>{said}</section>"


def _footer(now: datetime) -> str:
    clock = now.astimezone()
    return (
        f'<footer><p>As of <time datetime="{clock.isoformat()}">{clock:%Y-%m-%d %H:%M:%S}</time>; '
        f"looks again every {_AGAIN} s. "
        '<a href="/metrics">metrics</a> <a href="/status.json">as JSON</a></p></footer>'
    )


def _table(heading: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(column)}">{_cell(value)}</td>'
            for column, value in zip(columns, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    return (
        f"<section><h2>{escape(heading)}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></section>"
    )


def _cell(value: str) -> str:
    return value if isinstance(value, Html) else escape(value)
