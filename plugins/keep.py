"""Keeps in a route only what meets a condition: `- keep: {Modality: [CT, MR]}`."""

from router import Instance, Skip, When, hookimpl


class KeepMatching:
    def __init__(self, when: When, /) -> None:
        self._when = when

    @hookimpl
    def filter_instance(self, instance: Instance) -> Skip | None:
        if self._when.matches(instance):
            return None
        return Skip("it does not meet the condition of `keep`")
