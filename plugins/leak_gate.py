"""Holds what still identifies: `- leak_gate: {options: [retain_uids]}` behind any anonymizer.

`options` are those of `deidentify`: what was meant to be retained is not searched for.
"""

from router import Instance, hookimpl

from .deidentify.gate import check_leaks
from .deidentify.profile import Option


class LeakGate:
    def __init__(self, options: list[Option] = []) -> None:  # noqa: B006 - never changed
        self._options: frozenset[str] = frozenset(options)

    @hookimpl
    def verify_instance(self, instance: Instance) -> None:
        check_leaks(instance, self._options)
