"""The names a plugin may import."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.elements import (
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
    from router.raw import (
        Bulk,
        Level,
        Span,
        leaving,
        read_bulk,
        received,
        repeated_elements,
    )
    from router.tables import Table
    from router.template import PathTemplate, Template
    from router.when import When

__all__ = [
    "Association",
    "Bulk",
    "Context",
    "Delivery",
    "Destination",
    "ElementPath",
    "Hold",
    "Instance",
    "Level",
    "PathTemplate",
    "Query",
    "Refusal",
    "Rejected",
    "Sender",
    "Skip",
    "Span",
    "Study",
    "Table",
    "Template",
    "Unavailable",
    "When",
    "element_places",
    "element_texts",
    "element_value",
    "element_vr",
    "hookimpl",
    "leaving",
    "levels",
    "read_bulk",
    "read_texts",
    "received",
    "repeated_elements",
    "write_durably",
    "write_texts",
]

_HOMES = ("elements", "files", "hookspecs", "instance", "raw", "tables", "template", "when")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A name when it is first asked for: most commands need none, and pydicom takes long."""
        if name in __all__:
            for home in _HOMES:
                found = vars(import_module(f"router.{home}")).get(name)
                if found is not None:
                    globals()[name] = found
                    return found
        raise AttributeError(f"module 'router' has no attribute {name!r}")
