"""Where a router's spool is, also while its configuration cannot be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from router.config import ConfigError
from router.config.model import Spool
from router.operate.generation import read_settings

if TYPE_CHECKING:
    from pathlib import Path

_DIRECTORY = re.compile(r"^spool:(?:.|\n[ \t])*?\bdirectory:[ \t]*([^\s,}#]+)", re.MULTILINE)


def find_spool(config: Path) -> Path:
    """The spool's directory; read from the text where the file has mistakes, so that commands
    reach the router that goes on by what was there before.
    """
    try:
        return read_settings(config).spool.directory
    except ConfigError:
        pass
    try:
        found = _DIRECTORY.search(config.read_text("utf-8", "replace"))
    except OSError:
        found = None
    written = found[1].strip("'\"") if found else str(Spool.model_fields["directory"].default)
    return config.absolute().parent / written
