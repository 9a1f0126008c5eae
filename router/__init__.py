"""The names a plugin may import."""

from router.elements import ElementPath, element_places
from router.files import write_durably
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
from router.template import PathTemplate, Template
from router.when import When

__all__ = [
    "Association",
    "Context",
    "Delivery",
    "Destination",
    "ElementPath",
    "Hold",
    "Instance",
    "PathTemplate",
    "Query",
    "Refusal",
    "Rejected",
    "Sender",
    "Skip",
    "Study",
    "Template",
    "Unavailable",
    "When",
    "element_places",
    "hookimpl",
    "write_durably",
]
