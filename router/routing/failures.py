"""How a plugin's failure is told: by plugin, hook and place, never by its own text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class HookFailed(Exception):  # noqa: N818 - reads as what happened
    """A hook raised, overran or died; `reason` is safe to show."""

    def __init__(
        self, plugin: str, hook: str, reason: str, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{plugin}: {hook}: {reason}")
        self.plugin = plugin
        self.hook = hook
        self.reason = reason
        self.retry_after = retry_after


def describe(error: BaseException, plugin_file: str | None = None) -> str:
    """`TypeName at FILE:LINE`: the innermost line in the plugin's own file, else the innermost."""
    place: TracebackType | None = error.__traceback__
    found = None
    while place is not None:
        file = place.tb_frame.f_code.co_filename
        if found is None or plugin_file is None or file == plugin_file or found[0] != plugin_file:
            found = (file, place.tb_lineno)
        place = place.tb_next
    where = f" at {found[0]}:{found[1]}" if found else ""
    return f"{type(error).__name__}{where}"
