"""The names a plugin may import."""

from router.hookspecs import hookimpl
from router.instance import (
    Association,
    Context,
    Delivery,
    Destination,
    Hold,
    Instance,
    Query,
    Refusal,
    Rejected,
    Sender,
    Skip,
    Study,
    Unavailable,
)

__all__ = [
    "Association",
    "Context",
    "Delivery",
    "Destination",
    "Hold",
    "Instance",
    "Query",
    "Refusal",
    "Rejected",
    "Sender",
    "Skip",
    "Study",
    "Unavailable",
    "hookimpl",
]
