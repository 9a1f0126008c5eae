"""The pytest plugin's fixtures: what `router.testing` has, in the test's own directory, and ended
with the test. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from router.testing.archive import Archive
from router.testing.chains import ChainUnderTest, load_config, read_config
from router.testing.instances import make_association, make_dataset, make_instance
from router.testing.routers import RouterUnderTest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from router.config import Config
    from router.instance import Association, Instance


class MakeInstance(Protocol):
    def __call__(
        self,
        dataset: Dataset | None = None,
        /,
        *,
        transfer_syntax: str = ...,
        route: str = ...,
        association: Association | None = ...,
        **elements: object,
    ) -> Instance: ...


@pytest.fixture
def dicom_association() -> Callable[..., Association]:
    """Associations: `dicom_association(calling_ae_title="CT1", peer="ct1")`."""
    return make_association


@pytest.fixture
def dicom_instance(tmp_path: Path) -> MakeInstance:
    """Instances as hooks get them: `dicom_instance(PatientID="1")` or `dicom_instance(dataset)`."""

    def make(
        dataset: Dataset | None = None,
        /,
        *,
        transfer_syntax: str = "1.2.840.10008.1.2.1",
        route: str = "test",
        association: Association | None = None,
        **elements: object,
    ) -> Instance:
        made = make_dataset(**elements) if dataset is None else dataset
        return make_instance(
            made, tmp_path, transfer_syntax=transfer_syntax, route=route, association=association
        )

    return make


@pytest.fixture
def dicom_config(tmp_path: Path) -> Callable[..., Config]:
    """Configurations: `dicom_config(text, files=[...])` of a text, with the files beside it."""

    def load(
        given: str | Path, *, files: Iterable[Path] = (), destinations: Iterable[str] = ()
    ) -> Config:
        if not isinstance(given, str):
            return read_config(given)
        for file in files:
            shutil.copy(file, tmp_path)
        return load_config(given, tmp_path, destinations)

    return load


@pytest.fixture
def dicom_chain(
    tmp_path: Path, dicom_config: Callable[..., Config]
) -> Iterator[Callable[..., ChainUnderTest]]:
    """Chains, started: of a list of plugins, of a configuration's text or of its file.

    `dicom_chain("- set: {PatientID: X}")`, `dicom_chain(Path("config.yaml"), route="research")`.
    """
    started: list[ChainUnderTest] = []

    def start(given: str | Path, *, route: str | None = None, **more: Any) -> ChainUnderTest:  # noqa: ANN401
        chain = ChainUnderTest(dicom_config(given, **more), route, tmp_path)
        started.append(chain)
        return chain

    yield start
    for chain in reversed(started):
        chain.close()


@pytest.fixture
def dicom_archive() -> Iterator[Callable[..., Archive]]:
    """Archives, listening: `dicom_archive("PACS")`."""
    started: list[Archive] = []

    def start(ae_title: str = "ARCHIVE") -> Archive:
        started.append(Archive(ae_title))
        return started[-1]

    yield start
    for archive in started:
        archive.down()


@pytest.fixture
def dicom_router(
    tmp_path: Path, dicom_config: Callable[..., Config]
) -> Iterator[Callable[..., RouterUnderTest]]:
    """Routers, running: `dicom_router(text)`, see `dicom_config`."""
    started: list[RouterUnderTest] = []

    def start(given: str, **more: Any) -> RouterUnderTest:  # noqa: ANN401
        config = dicom_config(given, **more)
        started.append(RouterUnderTest(tmp_path / "config.yaml", config))
        return started[-1]

    yield start
    for router in reversed(started):
        router.close()
