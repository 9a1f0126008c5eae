"""What a replay found, for people and scripts: counts, and examples by SOP Instance UID only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from router.operate.explain_text import console
from router.operate.terminal import visible

if TYPE_CHECKING:
    from router.operate.replaying import Replay


def say(found: Replay, total: int) -> None:
    """A table of what would change, the most frequent first, then how many there were."""
    shown = console()
    if found.changes:
        table = Table("route", "destination", "what", "instances", "for example", box=None)
        table.columns[3].justify = "right"
        for (route, destination, what), change in _sorted(found):
            texts = route or "-", destination or "-", what, f"{change.count:,}"
            examples = "\n".join(map(visible, change.examples))
            table.add_row(*(Text(visible(text)) for text in texts), Text(examples))
        shown.print(table)
        shown.print()
    shown.print(Text(_totals(found, total)))


def _totals(found: Replay, total: int) -> str:
    changed = found.replayed - found.unchanged
    text = f"{found.replayed:,} replayed: {changed:,} would change, {found.unchanged:,} would not"
    older = total - found.replayed - found.gone
    if older > 0:
        text += f"; {older:,} older ones not looked at (--limit)"
    if found.gone:
        text += f"; {found.gone:,} were gone meanwhile"
    return text


def as_json(found: Replay, total: int) -> dict[str, Any]:
    return {
        "replayed": found.replayed,
        "unchanged": found.unchanged,
        "gone": found.gone,
        "retained": total,
        "changes": [
            {
                "route": route or None,
                "destination": destination or None,
                "what": what,
                "count": change.count,
                "examples": change.examples,
            }
            for (route, destination, what), change in _sorted(found)
        ],
    }


def _sorted(found: Replay) -> list[Any]:
    return sorted(found.changes.items(), key=lambda item: (-item[1].count, item[0]))
