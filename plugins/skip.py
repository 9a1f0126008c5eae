"""Leaves out of a route what meets a condition: `- skip: {ImageType: "*LOCALIZER*"}`."""

from router import Instance, Skip, When, hookimpl


class SkipMatching:
    def __init__(self, when: When, /) -> None:
        self._when = when

    @hookimpl
    def filter_instance(self, instance: Instance) -> Skip | None:
        return Skip("it meets the condition of `skip`") if self._when.matches(instance) else None
