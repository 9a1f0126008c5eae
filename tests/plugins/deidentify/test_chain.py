"""`deidentify` as routes use it: in worker processes, from a configuration, failing closed."""

from __future__ import annotations

import pytest

from router.config import ConfigError
from router.spool import Spool
from tests.routing.helpers import Router, read_config

CONFIG = """
plugins:
  deid:
    use: deidentify
    options: {{profile: basic, options: [{options}], secret: !file research.key}}
routes: [{{name: r, chain: [{chain}], to: [pacs]}}]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "research.key").write_text("0123456789abcdef\n")
    return tmp_path


def outcome(folder, wait_until, chain: str, **elements: object) -> tuple[str, str, bytes]:
    """State and reason of a copy, and the bytes that would be delivered."""
    with Spool(folder / "spool") as spool:
        router = Router(folder, spool)
        try:
            router.start(CONFIG.format(options="", chain=chain))
            uid = router.accept(**elements)
            wait_until(lambda: router.copy(uid).state != "received")
            copy = router.copy(uid)
        finally:
            router.stop()
        segments = [each for d in spool.ledger.claim("pacs", 9) for each in d.segments]
        return copy.state, copy.reason, b"".join(s for s in segments if isinstance(s, bytes))


def test_a_copy_leaves_a_worker_without_its_identity(folder, wait_until):
    state, reason, left = outcome(folder, wait_until, "deid", PatientID="P-77123")
    assert (state, reason) == ("processed", "")
    assert b"2.25." in left
    assert b"Secret" not in left
    assert b"P-77123" not in left


def test_a_later_step_that_brings_the_identity_back_is_held_by_the_gate(folder, wait_until):
    chain = "deid, set: {FilterType: of Secret}"
    state, reason, left = outcome(folder, wait_until, chain)
    assert (state, reason) == ("held", "the original PatientName is still in FilterType")
    assert left == b""


def test_a_gate_alone_holds_what_another_anonymizer_forgot(folder, wait_until):
    chain = "{remove: [PatientID]}, {leak_gate: {options: [retain_uids]}}"
    state, reason, _ = outcome(folder, wait_until, chain)
    assert (state, reason) == ("held", "the original PatientName is still in PatientName")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            "retain_longitudinal_full_dates, retain_longitudinal_modified_dates",
            "exclude each other: choose one",
        ),
        ("clean_recognizable_visual_features", "finding and removing faces"),
        ("retain_everything", "wants one of retain_uids"),
    ],
)
def test_options_that_cannot_be_are_mistakes_of_the_configuration(folder, options, told):
    with pytest.raises(ConfigError, match=told):
        read_config(folder, CONFIG.format(options=options, chain="deid"))


def test_a_secret_is_needed(folder):
    with pytest.raises(ConfigError, match="'secret' is missing"):
        read_config(folder, "routes: [{name: r, chain: [deidentify], to: [pacs]}]")
