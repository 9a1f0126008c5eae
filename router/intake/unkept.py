"""What a sender is told whose instance could not be kept."""

from __future__ import annotations

import logging

from router.spool import SpoolError, SpoolFull
from router.status import OUT_OF_RESOURCES, REFUSED_NOT_AUTHORISED
from router.wire import Response

log = logging.getLogger("router.intake")

NO_SPACE = Response(OUT_OF_RESOURCES, "The router is out of disk space; send again later")


class TooLarge(SpoolError):
    """More has come than `limits.object` allows; the rest is not kept."""


def cannot_keep_because(error: SpoolError) -> Response:
    """The refusal for a failure to keep."""
    if isinstance(error, TooLarge):
        return Response(REFUSED_NOT_AUTHORISED, "It is larger than limits.object of the router")
    if isinstance(error, SpoolFull):
        return NO_SPACE
    log.critical("spool.failed %s", error)
    return Response(OUT_OF_RESOURCES, "The router's storage failed; call its administrator")
