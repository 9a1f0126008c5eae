"""The router's log: events with fields, as text for people or as JSON lines for collectors."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
import warnings
from datetime import UTC, datetime
from typing import Literal, TextIO

log = logging.getLogger("router.node")

_PLUGINS = "router.plugins."  # and a plugin's name: its logger

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING,
           "error": logging.ERROR}  # fmt: skip


def configure(level: str, form: Literal["text", "json"], names_patients: bool = False) -> None:
    """Log the router's events to standard error; other libraries' from warnings up.

    Whatever else Python would write there (what ended a thread, warnings) may quote a patient: it
    is logged without its text, or not at all.
    """
    follow(level, form, names_patients)
    # pynetdicom and pydicom quote element values in their warnings.
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    threading.excepthook = _thread_failed
    sys.excepthook = lambda kind, error, trace: log.critical("node.failed", exc_info=error)
    sys.unraisablehook = lambda unraisable: log.error("node.failed", exc_info=unraisable.exc_value)


def follow(level: str, form: Literal["text", "json"], names_patients: bool = False) -> None:
    """Log from this level up, in this form, from now on; say so where that will name patients."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("router").setLevel(_LEVELS[level])
    if names_patients:
        log.warning("log.names_patients by=logging.patient_data: keep it as records are kept")


class _Handler(logging.StreamHandler[TextIO]):
    """One whose own failures do not show the record: a plugin's arguments may fit no format."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        place = f"{record.pathname}:{record.lineno}"
        with contextlib.suppress(OSError, ValueError):  # where nothing can be written
            self.stream.write(f"log.failed area={record.name} at {place}\n")


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread else "unknown"
    log.critical("thread.failed thread=%s", name, exc_info=failure.exc_value)


def _one_line(text: str) -> str:
    """What a peer sent may hold line ends or terminal escapes: none reach the log as such."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        plugin = record.name.removeprefix(_PLUGINS)
        who = "" if plugin == record.name else f"{plugin}: "
        line = f"{time} {record.levelname.lower():7} {_one_line(who + record.getMessage())}"
        return line + _trace(record, "\n  ")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "area": record.name,
            "event": _one_line(record.getMessage()),
        }
        trace = _trace(record, " < ")
        return json.dumps(entry | ({"trace": trace} if trace else {}))


def _trace(record: logging.LogRecord, between: str) -> str:
    """Type, files and lines of an exception: its text may quote a patient and is left out."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    error = record.exc_info[1]
    frames = []
    frame = error.__traceback__
    while frame is not None:
        frames.append(f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}")
        frame = frame.tb_next
    return between + between.join([type(error).__name__, *frames])
