"""A chain of plugins run on one instance, in this process."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pydicom

from router.dataset import read_segments, scan_segments
from router.routing.build import Plugins
from router.routing.run import run_chain
from router.routing.spec import chain_spec
from router.spool.records import Processed
from router.testing import make_instance
from tests.routing.helpers import EXPLICIT, read_config

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

    from router.spool.records import CopyOutcome


def run(folder: Path, chain: str, made: Dataset) -> CopyOutcome:
    config = read_config(folder, f"routes:\n  - name: r\n    to: [pacs]\n    chain: {chain}\n")
    spec = chain_spec(config.routes[0].chain, config)
    built = Plugins(folder / "plugins").chain(spec)
    copies = [make_instance(made, folder, calling_ae_title="CT1") for _ in range(2)]
    return run_chain(built, spec, copies[0], copies[1], ["pacs"])


def leaving(outcome: CopyOutcome) -> Dataset:
    """The data set of a processed copy, read by pydicom alone."""
    assert isinstance(outcome, Processed), outcome
    assert outcome.segments is not None
    scan = scan_segments(outcome.segments, EXPLICIT)
    assert scan.problem is None
    content = b"".join(read_segments(outcome.segments))
    return pydicom.dcmread(BytesIO(content), force=True)
