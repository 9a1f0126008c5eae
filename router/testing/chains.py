"""A chain as a configuration writes it, run as a worker would, in the test's own process."""

from __future__ import annotations

import textwrap
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Literal, Self

import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from router.config import ConfigError, load
from router.dataset import FileRange, encode_file_meta, read_segments
from router.routing import check_chains, check_plugin, known_plugins
from router.routing.build import Plugins
from router.routing.run import run_chain
from router.routing.spec import chain_spec
from router.routing.studies import tell_of_study
from router.spool.records import Processed, Skipped, Stored
from router.spool.study_records import StudyCopy, StudyTask
from router.testing.instances import encode, instance_of, make_association

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pydicom.dataset import Dataset

    from router.config import Config
    from router.instance import Association, Instance
    from router.spool.records import CopyOutcome


@dataclass(frozen=True)
class Outcome:
    """What a chain made of an instance.

    `reason`, `plugin` and `hook` are of what was skipped or held, `retry_after` of a `Hold` that
    says so. `dataset` is what would leave, read by pydicom from its bytes; `changed` whether these
    are others than came; `notes` what `store_instance` hooks have said.
    """

    state: Literal["processed", "skipped", "held"]
    reason: str = ""
    plugin: str = ""
    hook: str = ""
    retry_after: float | None = None
    dataset: Dataset | None = None
    changed: bool = False
    destinations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ChainUnderTest:
    """The chain of a route; `close` it, or use it in a `with`, so that plugins are shut down.

    Hooks run here, so that they can be debugged; time-outs and crashes are a worker's, see
    `RouterUnderTest`.
    """

    def __init__(self, config: Config, route: str | None, directory: Path) -> None:
        """The first route, if none is named. Raises HookFailed where a plugin does not start."""
        found = [each for each in config.routes if route in (None, each.name)]
        if not found:
            raise ValueError(f"the configuration has no route {route!r}")
        self.route = found[0]
        self._directory = directory
        self._spec = chain_spec(self.route.chain, config)
        self._plugins = Plugins(directory / "plugins")
        self._chain = self._plugins.chain(self._spec)
        self._ran: dict[str, StudyCopy] = {}

    def __repr__(self) -> str:
        return f"ChainUnderTest({self.route.name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._plugins.shutdown()

    def run(
        self,
        dataset: Dataset,
        *,
        transfer_syntax: str = ExplicitVRLittleEndian,
        association: Association | None = None,
        fault: AbstractContextManager[None] | None = None,
    ) -> Outcome:
        """The chain's work on an instance with these elements, whatever the route's `when`.

        A `fault`, such as `disk_full()`, is there while the hooks run.
        """
        content = encode(dataset, transfer_syntax)
        return self.run_bytes(content, transfer_syntax, association, fault)

    def run_bytes(
        self,
        content: bytes,
        transfer_syntax: str = ExplicitVRLittleEndian,
        association: Association | None = None,
        fault: AbstractContextManager[None] | None = None,
    ) -> Outcome:
        """The same for a data set given as it is encoded, which may be broken."""
        sender = association or make_association()
        received, own = (
            instance_of(content, transfer_syntax, self._directory, sender, self.route.name)
            for _ in range(2)
        )
        with fault or nullcontext():
            made = run_chain(self._chain, self._spec, own, received, self.route.to)
        if isinstance(made, Processed):
            self._ran[made.sop_instance_uid] = _study_copy(received, own, made)
        return _outcome(made, own)

    def complete_study(self, late: bool = False) -> tuple[str, ...]:
        """Tell the plugins that the study of everything run so far is complete; who was told.

        Raises AssertionError where a plugin fails, with what the log would have said.
        """
        copies, self._ran = tuple(self._ran.values()), {}
        task = StudyTask(
            id=0,
            route=self.route.name,
            original_study_instance_uid=copies[0].study_instance_uid if copies else "",
            late=late,
            told=(),
            attempts=0,
            copies=copies,
        )
        outcome = tell_of_study(self._chain, task, self._spec.character_sets)
        failure = outcome.failure
        assert failure is None, f"{failure.plugin}: {failure.hook}: {failure.reason}"
        return outcome.told


def load_config(text: str, directory: Path, destinations: Iterable[str] = ()) -> Config:
    """A configuration of this text in `directory`, which its paths are relative to, with its
    plugins checked. A list alone is the chain of a route; what else is missing is filled in.

    Raises ConfigError, whose text is that of `dicom-router check`.
    """
    text = textwrap.dedent(text)
    if text.lstrip().startswith(("-", "[")):
        names = ", ".join(destinations) or "archive"
        chain = textwrap.indent(text, "      ")
        text = f"routes:\n  - name: test\n    to: [{names}]\n    chain:\n{chain}\n"
        destinations = tuple(destinations) or ("archive",)
    for name in destinations:
        text += f"\ndestinations: {{{name}: {{type: folder, directory: ./{name}}}}}"
    if "\nspool:" not in f"\n{text}":
        text += "\nspool: {directory: ./spool, keep_free: 0}\n"
    path = directory / "config.yaml"
    path.write_text(text)
    return read_config(path)


def read_config(path: Path) -> Config:
    """A configuration file with its plugins checked. Raises ConfigError."""
    config = load(path, check_plugin=check_plugin, known_plugins=known_plugins())
    if mistakes := check_chains(config):
        raise ConfigError(mistakes)
    return config


def _study_copy(received: Instance, own: Instance, made: Processed) -> StudyCopy:
    (whole,) = received._source.segments
    assert isinstance(whole, FileRange)
    scan = received._source.scan
    problem = scan.problem.reason if scan.problem else None
    return StudyCopy(
        stored=Stored(whole.path, 0, whole.length, scan.bulk, problem),
        received_transfer_syntax=str(received.transfer_syntax),
        association=own.association,
        received=own.received,
        segments=made.segments,
        transfer_syntax=made.transfer_syntax,
        sop_instance_uid=made.sop_instance_uid,
        study_instance_uid=made.study_instance_uid,
    )


def _outcome(made: CopyOutcome, own: Instance) -> Outcome:
    if isinstance(made, Skipped):
        return Outcome("skipped", made.reason, made.plugin)
    if not isinstance(made, Processed):
        return Outcome("held", made.reason, made.plugin, made.hook, made.retry_after)
    meta = encode_file_meta(made.sop_class_uid, made.sop_instance_uid, made.transfer_syntax)
    content = b"".join([meta, *read_segments(own.segments)])
    return Outcome(
        "processed",
        dataset=pydicom.dcmread(BytesIO(content)),
        changed=made.segments is not None,
        destinations=made.destinations,
        notes=made.notes,
    )
