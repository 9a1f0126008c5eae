"""A chain: its plugins behind one typed method per hook, called in list order, one by one."""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import pluggy

from router import hookspecs
from router.config.mistakes import nearest
from router.instance import Hold, Refusal, Skip
from router.routing.facts import Facts
from router.routing.failures import HookFailed, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from pydicom.dataset import Dataset

    from router.instance import (
        Association,
        Context,
        Delivery,
        Destination,
        Instance,
        Query,
        Sender,
        Study,
    )
    from router.routing.matching import Predicate

log = logging.getLogger("router.routing")

Watch: TypeAlias = "Callable[[int, str], None]"
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Link:
    """A plugin object at its place in a chain; `when` is None where it is always asked."""

    name: str
    plugin: object
    when: Predicate | None = None


@dataclass(frozen=True)
class Decision:
    """What a filter said, and which plugin's it was."""

    plugin: str
    answer: Skip | Refusal


class Chain:
    """The hooks of a list of plugins.

    A method that decides raises HookFailed, which names the plugin and is safe to show, and asks
    nobody after it; a method that tells (`..._ended`, `shutdown`) logs failures and goes on. Texts
    are given back as plain ones: a plugin's own subclass of `str` cannot be read elsewhere.
    `facts` are what the plugins' own `when` is asked about. `watch` is called with a link's index
    and the hook before each call, and with -1 and "" after it.
    """

    def __init__(self, links: Iterable[Link], watch: Watch | None = None) -> None:
        """Raises pluggy.PluginValidationError for hooks that no plugin can have."""
        self.links = tuple(links)
        self._watch = watch or (lambda link, hook: None)
        self._hooks = _hooks(self.links)

    def startup(self, context: Callable[[Link], Context]) -> None:
        for call in self._calls("startup"):
            call(context=context(call.link))

    def shutdown(self) -> None:
        self._tell("shutdown")

    def accept_association(self, association: Association) -> Refusal | None:
        facts = Facts(association, None, association.started)
        for call in self._calls("accept_association", facts):
            if (answer := call(association=association)) is not None:
                return call.expect(Refusal, answer)
        return None

    def accept_instance(self, instance: Instance, facts: Facts) -> Refusal | None:
        for call in self._calls("accept_instance", facts):
            if (answer := call(instance=instance)) is not None:
                return call.expect(Refusal, answer)
        return None

    def association_ended(self, association: Association) -> None:
        facts = Facts(association, None, association.started)
        self._tell("association_ended", facts, association=association)

    def filter_instance(self, instance: Instance, facts: Facts) -> Decision | None:
        for call, answer in self._readings("filter_instance", instance, facts):
            decided = answer if isinstance(answer, Skip) else call.expect(Refusal, answer)
            return Decision(call.link.name, decided)
        return None

    def rewrite_instance(self, instance: Instance, facts: Facts) -> None:
        for call in self._calls("rewrite_instance", facts):
            call(instance=instance)

    def verify_instance(self, instance: Instance, facts: Facts) -> None:
        for _ in self._readings("verify_instance", instance, facts):
            pass

    def store_instance(self, instance: Instance, facts: Facts) -> list[str]:
        """Where it was kept, a text for each plugin that kept it."""
        readings = self._readings("store_instance", instance, facts)
        return [str(call.expect(str, answer)) for call, answer in readings]

    def forward_instance(
        self, instance: Instance, facts: Facts, known: Collection[str]
    ) -> list[str]:
        """The destinations to add; a name that is not `known` is that plugin's failure."""
        added: list[str] = []
        for call, answer in self._readings("forward_instance", instance, facts):
            for name in [answer] if isinstance(answer, str) else call.expect(list, answer):
                if name not in known:
                    raise call.failure(f"there is no destination {name!r}")
                added.append(str(name))
        return added

    def rewrite_outgoing(self, instance: Instance, facts: Facts, destination: Destination) -> None:
        for call in self._calls("rewrite_outgoing", facts):
            call(instance=instance, destination=destination)

    def open_destination(self, destination: Destination) -> Sender:
        for call in self._calls("open_destination"):
            if (answer := call(destination=destination)) is not None:
                return answer  # type: ignore[no-any-return]  # a Protocol: found out in use
        raise HookFailed(self.links[0].name, "open_destination", "it opened no destination")

    def delivery_ended(self, delivery: Delivery) -> None:
        self._tell("delivery_ended", delivery=delivery)

    def study_complete(self, studies: Callable[[Link], Iterable[Study]]) -> Iterator[Link]:
        """Tell each plugin of the `studies` that are for it; yields it once it has been told."""
        for call in self._calls("study_complete"):
            for study in studies(call.link):
                call(study=study)
            yield call.link

    def filter_query(self, query: Query, facts: Facts) -> Refusal | None:
        for call in self._calls("filter_query", facts):
            if (answer := call(query=query)) is not None:
                return call.expect(Refusal, answer)
        return None

    def rewrite_query(self, query: Query, facts: Facts) -> None:
        for call in self._calls("rewrite_query", facts):
            call(query=query)

    def rewrite_match(self, query: Query, match: Dataset, facts: Facts) -> None:
        for call in self._calls("rewrite_match", facts):
            call(query=query, match=match)

    def called(self, hook: str, facts: Facts) -> list[str]:
        """The plugins that `hook` is called of."""
        return [call.link.name for call in self._calls(hook, facts)]

    def _calls(self, hook: str, facts: Facts | None = None) -> Iterator[_Call]:
        for index, link in enumerate(self.links):
            function = self._hooks[index].get(hook)
            if function and (link.when is None or facts is None or link.when(facts)):
                yield _Call(link, index, hook, function, self._watch)

    def _readings(self, hook: str, instance: Instance, facts: Facts) -> Iterator[tuple[_Call, Any]]:
        """What plugins answer that is not None; none sees what another changed."""
        for call in self._calls(hook, facts):
            instance.seal()
            if (answer := call(instance=instance)) is not None:
                yield call, answer

    def _tell(self, hook: str, facts: Facts | None = None, **arguments: object) -> None:
        for call in self._calls(hook, facts):
            try:
                call(**arguments)
            except HookFailed as failure:
                log.error("hook.failed plugin=%s hook=%s %s", call.link.name, hook, failure.reason)


@dataclass(frozen=True)
class _Call:
    """One plugin's implementation of one hook, ready to be called."""

    link: Link
    index: int
    hook: str
    function: Callable[..., Any]
    watch: Watch

    def __call__(self, **arguments: object) -> Any:  # noqa: ANN401 - what a plugin gave back
        self.watch(self.index, self.hook)
        try:
            return self.function(**arguments)
        except Hold as hold:
            raise self.failure(str(hold.reason), hold.retry_after) from None
        except BaseException as error:  # a hook that raises SystemExit has failed as well
            raise self.failure(describe(error, _file(self.link.plugin))) from None
        finally:
            self.watch(-1, "")

    def expect(self, kind: type[_Kind], answer: object) -> _Kind:
        if not isinstance(answer, kind):
            raise self.failure(f"it answered {type(answer).__name__}")
        return answer

    def failure(self, reason: str, retry_after: float | None = None) -> HookFailed:
        return HookFailed(self.link.name, self.hook, reason, retry_after)


_hooks_by_class: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()


def hooks_of(link: Link) -> set[str]:
    """The hooks that a plugin has. Raises pluggy.PluginValidationError for misspelt ones."""
    kind = type(link.plugin)
    if kind not in _hooks_by_class:
        _hooks_by_class[kind] = frozenset(_hooks((link,))[0])
    return set(_hooks_by_class[kind])


def _hooks(links: tuple[Link, ...]) -> list[dict[str, Callable[..., Any]]]:
    """For each link the hooks its plugin implements, by name."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for plugin in {id(link.plugin): link.plugin for link in reversed(links)}.values():
        _validate(manager, plugin)
        manager.register(plugin)
    return [
        {
            caller.name: _called_alone(implementation)
            for caller in manager.get_hookcallers(link.plugin) or ()
            for implementation in caller.get_hookimpls()
            if implementation.plugin is link.plugin
        }
        for link in links
    ]


def _validate(manager: pluggy.PluginManager, plugin: object) -> None:
    """What pluggy would find, in our words, and what it would not: a hook without its mark."""
    for method in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, method)
        name = (options and options.get("specname")) or method
        if options is None:
            if name in hookspecs.HOOKS and inspect.isroutine(getattr(plugin, method)):
                told = f"{name} would never be called: mark it with @hookimpl"
                raise pluggy.PluginValidationError(plugin, told)
        elif name not in hookspecs.HOOKS:
            told = f"unknown hook '{name}'{nearest(name, hookspecs.HOOKS)}"
            raise pluggy.PluginValidationError(plugin, told)
        else:
            _validate_arguments(plugin, method, name)


def _validate_arguments(plugin: object, method: str, hook: str) -> None:
    known = inspect.signature(getattr(hookspecs, hook)).parameters
    for name, parameter in inspect.signature(getattr(plugin, method)).parameters.items():
        if parameter.default is parameter.empty and name not in known:
            told = f"{hook} has no argument '{name}'; it has {', '.join(known) or 'none'}"
            raise pluggy.PluginValidationError(plugin, told)


def _called_alone(implementation: pluggy.HookImpl) -> Callable[..., Any]:
    """The implementation as a function that takes every argument of its hook.

    Not through pluggy's own call: that stops at the first exception and does not say whose it is,
    and a chain's `when`, time-outs and failures are each plugin's own.
    """
    function, names = implementation.function, implementation.argnames
    options = implementation.opts
    if any(options[mark] for mark in ("wrapper", "hookwrapper", "tryfirst", "trylast")):
        raise pluggy.PluginValidationError(
            implementation.plugin,
            f"{function.__name__}: order is the chain's, and a hook is called by itself: "
            "no tryfirst, trylast or wrapper",
        )
    return lambda **arguments: function(*(arguments[name] for name in names))


def _file(plugin: object) -> str | None:
    return getattr(inspect.getmodule(type(plugin)), "__file__", None)
