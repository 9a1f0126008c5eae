"""How one chain differs from another, in words; options are named, their values never told."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from router.config.units import duration_text
from router.config.values_as_written import condition_as_written, conditions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.config.plugin_use import ChainEntry


def chain_words(old: Sequence[ChainEntry], new: Sequence[ChainEntry]) -> str:
    """Which steps came, went, moved and changed; nothing where none did.

    What a step has from `plugins:` is told there.
    """
    before, after = _names(old), _names(new)
    came, went = Counter(after) - Counter(before), Counter(before) - Counter(after)
    words = [f"now also {', '.join(came.elements())}"] if came else []
    words += [f"no longer {', '.join(went.elements())}"] if went else []
    if not words and before != after:
        words.append(f"in another order: {', '.join(after)}")
    earlier = defaultdict(list)
    for step in old:
        earlier[step.plugin.name].append(step)
    for step in new:
        if earlier[step.plugin.name]:
            words += _step_words(earlier[step.plugin.name].pop(0), step)
    return ", ".join(words)


def options_words(old: object, new: object) -> str:
    """Which options are others, by name where they have names; nothing where none is."""
    if old == new:
        return ""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return "changed"
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key) or key not in old]
    return f"{', '.join(map(str, keys))} changed"


def _names(chain: Sequence[ChainEntry]) -> list[str]:
    return [step.plugin.name for step in chain]


def _step_words(old: ChainEntry, new: ChainEntry) -> Iterator[str]:
    name = new.plugin.name
    if old.plugin.use != new.plugin.use:
        yield f"{name} is {new.plugin.use}, not {old.plugin.use}"
    elif new.plugin.inline and (words := options_words(old.plugin.options, new.plugin.options)):
        yield f"{name}: {words}"
    if tuple(conditions_of(old.when)) != tuple(conditions_of(new.when)):
        before, after = condition_as_written(old.when), condition_as_written(new.when)
        yield f"{name}: when: {before} -> {after}"
    if old.timeout != new.timeout:
        yield f"{name}: timeout: {duration_text(old.timeout)} -> {duration_text(new.timeout)}"
