"""Where a router's spool is, quickly, and also while its configuration cannot be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# As nearly everybody writes it: reading and checking the whole configuration takes long.
_PLAIN = re.compile(
    r"^spool:[ ]*(?:\{[ ]*|(?:\#.*)?\n(?:(?:[ ]+(?!directory:)[^ \n].*|[ ]*)\n)*[ ]+)"
    r"directory:[ ]+([\w./-]+)[ ]*(?:[,}].*|\#.*)?$",
    re.MULTILINE,
)
_ANYHOW = re.compile(r"^spool:(?:.|\n[ \t])*?\bdirectory:[ \t]*([^\s,}#]+)", re.MULTILINE)


def find_spool(config: Path) -> Path:
    """The spool's directory; read from the text where the file has mistakes, so that commands
    reach the router that goes on by what was there before.
    """
    try:
        text = config.read_text("utf-8", "replace")
    except OSError:
        text = ""
    if plain := _PLAIN.search(text):
        return config.absolute().parent / plain[1]
    return _as_read(config, text)


def _as_read(config: Path, text: str) -> Path:
    from router.config import ConfigError
    from router.config.model import Spool
    from router.operate.generation import read_settings

    try:
        return read_settings(config).spool.directory
    except ConfigError:
        found = _ANYHOW.search(text)
    written = found[1].strip("'\"") if found else str(Spool.model_fields["directory"].default)
    return config.absolute().parent / written
