"""A configuration that changes while a modality sends, and what many routes cost."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.lab import NODELAY, ONE_ROUTE, Lab, free_port
from benchmarks.pairs import PAIRS, in_pairs, ratios
from benchmarks.parts.checking import DESTINATIONS, large
from benchmarks.result import Result
from benchmarks.scu import CT, associate, store
from tests.story.peers import BOUND, RunningRouter

ROUNDS = 3
SAVES = 4  # in each round
BETWEEN = 0.3  # seconds from one in effect to the next saved
EVERY = 0.005  # seconds from an answer to the next instance
OBJECTS = 1000
ROUTES = 200
RELOADS = 3
CHANGING = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  shelf: {{type: folder, directory: ./shelf, path: "{{SOPInstanceUID}}.dcm"}}
routes:
  - {{name: everything, chain: [set: {{InstitutionName: "{0}"}}], to: [shelf]}}
"""
# The first two conditions hold, so that none is spared the third.
DOES_NOT_APPLY = """\
  - {{name: r{0}, to: [archive],
     when: {{calling_ae_title: [CT1, MR{0}], Modality: [CT, MR], StudyDescription: "*P{0}*"}}}}
"""


def run(lab: Lab) -> list[Result]:
    return [
        *_saved_while_receiving(lab),
        _many_routes(lab),
        *(_reload_of_many(lab, routes, target) for routes, target in ((200, 2.0), (2000, None))),
    ]


def _saved_while_receiving(lab: Lab) -> list[Result]:
    """Rounds of both, without a change and with some, so that what else happens hits both."""
    unsent = iter([*lab.data.small(0), *lab.data.small(1)])
    numbers = iter(range(1, 1 + ROUNDS * SAVES))
    took: list[float] = []
    longest: dict[str, list[float]] = {"unchanged": [], "reloading": []}
    with lab.router(CHANGING.format(0)) as router:

        def reloads() -> None:
            for _ in range(SAVES):
                took.append(_save(router, CHANGING.format(next(numbers))))
                time.sleep(BETWEEN)

        for _ in range(ROUNDS):
            longest["unchanged"].append(_longest(router, unsent, lambda: time.sleep(3)))
            longest["reloading"].append(_longest(router, unsent, reloads))
    return [
        Result("configuration saved until in effect, while receiving: p50", "", "s", took, 1.0),
        Result(
            f"longest C-STORE round trip of 2 KB while {SAVES} configurations are saved",
            f"unchanged: {max(longest['unchanged']):.0f} ms at worst", "ms", longest["reloading"],
            50, raw=longest, raw_unit="ms",
        ),
    ]  # fmt: skip


def _longest(router: RunningRouter, unsent: Iterator[Path], during: Callable[[], None]) -> float:
    """Milliseconds of the longest C-STORE round trip of one sender meanwhile."""
    port, stop = router.port("modalities"), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(_send, port, unsent, stop)
        try:
            during()
        finally:
            stop.set()
        return 1000 * max(sending.result())


def _send(port: int, unsent: Iterator[Path], stop: threading.Event) -> list[float]:
    association = associate(port, [CT])
    took = []
    while not stop.is_set():
        took.append(store(association, next(unsent)))
        time.sleep(EVERY)
    association.release()
    return took


def _save(router: RunningRouter, config: str) -> float:
    """Seconds until the router says that it goes by it."""
    with router.log.open() as log:
        log.seek(0, os.SEEK_END)
        said, began = "", time.perf_counter()
        router.config.write_text(config)
        while "config.applied" not in said:
            time.sleep(EVERY)
            said += log.read()
            if "config.refused" in said or time.perf_counter() - began > BOUND:
                raise RuntimeError(f"it is not in effect: {said}")
        return time.perf_counter() - began


def _many_routes(lab: Lab) -> Result:
    """Intake alone: the one destination is down, and no route has a chain."""
    folders = lab.data.folders(lab.data.small()[:OBJECTS], 1)
    few = ONE_ROUTE.format(port=free_port())
    many = few + "".join(DOES_NOT_APPLY.format(number) for number in range(ROUTES - 1))

    def into(config: str) -> float:
        with lab.router(config) as router:
            return lab.send(router.port("modalities"), folders, **NODELAY)

    measured = in_pairs(lambda: into(many), lambda: into(few), PAIRS)
    return Result(
        f"receive {OBJECTS:,} x 2 KB with {ROUTES} routes, of which one applies", "one route", "x",
        ratios(measured), 1.1, raw={f"{ROUTES} routes": measured[0], "one": measured[1]},
    )  # fmt: skip


def _reload_of_many(lab: Lab, routes: int, target: float | None) -> Result:
    """From the save, which asks at once, until it is in effect; every route's chain is another."""
    took = []
    with lab.router(_running(routes, 0)) as router:
        for number in range(1, 1 + RELOADS):
            began = time.perf_counter()
            router.config.write_text(_running(routes, number))
            outcome = router.ask("reload")
            took.append(time.perf_counter() - began)
            if outcome["result"] != "applied":
                raise RuntimeError(f"it is not in effect: {outcome}")
    what = f"reload of {routes:,} routes, each changed, and {DESTINATIONS} destinations"
    return Result(what, "", "s", took, target)


def _running(routes: int, edition: int) -> str:
    config = large(routes).replace("{bind: 127.0.0.1}", "{port: 0, bind: 127.0.0.1}")
    config = config.replace('InstitutionName: "I', f'InstitutionName: "{edition}-')
    return "spool: {directory: ./spool, keep_free: 0}\n" + config
