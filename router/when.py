"""A `when:` mapping as a plugin's option: annotate the constructor's parameter with `When`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from router.instance import Instance


class When(Protocol):
    """A condition in the words of a route's `when`; the loader makes it of the option's mapping."""

    def matches(self, instance: Instance) -> bool:
        """Whether it holds for the instance as it arrived, whatever was rewritten since."""
        ...
