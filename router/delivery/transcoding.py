"""Which forms of an object a destination may be sent, and the job that makes one of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.dataset import DEFLATED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.spool import DeliveryTask
    from router.spool.records import CopyOutcome

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"


def forms(transfer_syntax: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The transfer syntaxes an object may leave in, best first.

    What is `wanted`, then as it came, then inflated where that is deflated, then those one of
    which every peer has to take (PS3.5 10.1).
    """
    inflated = DEFLATED.get(transfer_syntax, transfer_syntax)
    all_of_them = (
        *wanted,
        transfer_syntax,
        inflated,
        EXPLICIT_LITTLE_ENDIAN,
        IMPLICIT_LITTLE_ENDIAN,
    )
    return tuple(dict.fromkeys(all_of_them))


@dataclass(frozen=True)
class Transcoding:
    """The delivery in the first of `targets` that can hold it: a job for a worker process, which
    a codec that crashes, or is given a bomb, takes down with it.
    """

    targets: tuple[str, ...]

    def __call__(
        self, task: DeliveryTask, workspace: Path, allow: Callable[[float], None]
    ) -> CopyOutcome:
        """`allow` gives it so many seconds from now on."""
        from router.delivery import codecs  # which imports numpy, and every codec

        return codecs.transcode(task, self.targets, workspace, allow)
