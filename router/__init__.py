"""The names a plugin may import."""

from router.elements import (
    WITHOUT_TEXT,
    ElementPath,
    element_places,
    element_texts,
    element_value,
    element_vr,
    levels,
    read_texts,
    write_texts,
)
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
from router.tables import Table
from router.leaving import read_value, repeated_elements, written_header
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
    "Table",
    "Template",
    "Unavailable",
    "WITHOUT_TEXT",
    "When",
    "element_places",
    "element_texts",
    "element_value",
    "element_vr",
    "hookimpl",
    "written_header",
    "repeated_elements",
    "read_value",
    "levels",
    "read_texts",
    "write_durably",
    "write_texts",
]
