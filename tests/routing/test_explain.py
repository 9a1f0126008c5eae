"""A chain that is only explained: told step by step, with nothing kept anywhere."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

import pytest

from router.config import load
from router.instance import Refusal
from router.routing import WorkerPool
from router.routing.explain import Arriving, Asked, Change
from router.routing.spec import chain_spec, worker_specs
from router.spool import Stored
from router.spool.records import CopyTask, HeldCopy, Processed, Skipped
from router.testing import encode
from tests.routing.helpers import EXPLICIT, RECEIVED, association, dataset, read_config, scan_of

if TYPE_CHECKING:
    from pathlib import Path


class Explaining:
    """One worker that explains chains of a configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = WorkerPool(1, folder / "plugins", folder / "workspace")

    def plugin(self, body: str) -> None:
        header = "import os, time\nfrom router import *\n\nclass Plugin:\n"
        (self.folder / "plugin.py").write_text(header + textwrap.indent(body, "    "))

    def task(self, **elements: object) -> CopyTask:
        made = dataset(**elements)
        content = encode(made)
        (self.folder / "instance").write_bytes(content)
        return CopyTask(
            copy_id=1,
            instance_id=1,
            route="r",
            destinations=("pacs",),
            attempts=0,
            stored=Stored(str(self.folder / "instance"), 0, len(content), scan_of(made).bulk),
            transfer_syntax=EXPLICIT,
            sop_class_uid=made.SOPClassUID,
            sop_instance_uid=made.SOPInstanceUID,
            study_instance_uid=made.StudyInstanceUID,
            series_instance_uid=made.SeriesInstanceUID,
            association=association(),
            received=RECEIVED,
            generation=1,
            move_originator=None,
        )

    def explain(self, chain: str, **elements: object):
        config = read_config(self.folder, f"routes: [{{name: r, chain: {chain}, to: [pacs]}}]")
        specs, _ = worker_specs(config)
        return self.pool.explain(specs["r"], Asked(self.task(**elements), detailed=True))


@pytest.fixture
def explaining(tmp_path):
    made = Explaining(tmp_path)
    yield made
    made.pool.stop()


def hooks(explained):
    return [(step.plugin, step.hook, step.answer) for step in explained.steps]


def test_every_hook_is_told_in_its_order_with_its_answer_and_time(explaining):
    explaining.plugin(
        """
@hookimpl
def filter_instance(self, instance): ...
@hookimpl
def rewrite_instance(self, instance): time.sleep(0.05)
@hookimpl
def verify_instance(self, instance): ...
@hookimpl
def forward_instance(self, instance): return "vna"
"""
    )
    explained = explaining.explain('["plugin.py:Plugin"]')
    assert hooks(explained) == [
        ("plugin.py:Plugin", "filter_instance", ""),
        ("plugin.py:Plugin", "rewrite_instance", ""),
        ("plugin.py:Plugin", "verify_instance", ""),
        ("plugin.py:Plugin", "forward_instance", "vna"),
    ]
    assert explained.steps[1].seconds >= 0.05
    assert explained.outcome.destinations == ("pacs", "vna")


def test_what_a_chain_changes_is_told_with_who_did_it(explaining):
    explained = explaining.explain(
        '[set: {PatientName: "X^Y"}, remove: [PatientID, {private: all}], '
        "set: {RequestAttributesSequence.ScheduledProcedureStepID: S1}]",
        PatientName="Doe^Jane",
        PatientID="P1",
        StudyDescription="CHEST",
    )
    assert explained.changes == (
        Change("PatientName", "PN", "Doe^Jane", "X^Y", ("set",)),
        Change("PatientID", "LO", "P1", None, ("remove",)),
        Change("RequestAttributesSequence[1].ScheduledProcedureStepID", "SH", None, "S1", ("set",)),
    )


def test_private_elements_are_told_by_their_creator_and_bulk_by_its_length(explaining):
    explaining.plugin(
        """
@hookimpl
def rewrite_instance(self, instance):
    block = instance.dataset.private_block(0x0029, "ACME", create=True)
    block.add_new(0x10, "LO", "new")
    instance.replace_bulk("PixelData", bytes(10))
"""
    )
    pixels = {"BitsAllocated": 8, "PixelData": bytes(70_000)}
    explained = explaining.explain('["plugin.py:Plugin"]', **pixels)
    found = {change.path: (change.before, change.after) for change in explained.changes}
    assert found == {
        "(0029,0010)": (None, "ACME"),
        "(0029,10,ACME)": (None, "new"),
        "PixelData": ("70000 bytes", "10 bytes"),
    }


def test_an_unchanged_copy_changes_nothing(explaining):
    explained = explaining.explain(
        "[set: {Modality: CT}]", BitsAllocated=8, PixelData=bytes(70_000)
    )
    assert explained.changes == ()
    assert isinstance(explained.outcome, Processed)


def test_what_keeps_something_is_named_and_not_called(explaining):
    kept = explaining.folder / "archive"
    explained = explaining.explain(f"[store: {{directory: {kept}}}]")
    assert [(step.hook, step.called) for step in explained.steps] == [("store_instance", False)]
    assert explained.outcome.destinations == ("pacs",)
    assert not kept.exists()


def test_a_filter_ends_the_chain_and_its_decision_is_told(explaining):
    explained = explaining.explain("[skip: {Modality: CT}, set: {PatientID: X}]")
    assert isinstance(explained.outcome, Skipped)
    assert hooks(explained) == [
        ("skip", "filter_instance", "skip: it meets the condition of `skip`")
    ]


def test_a_chain_that_holds_names_plugin_hook_and_reason(explaining):
    explained = explaining.explain('[set: {PatientID: "{AccessionNumber}"}]')
    assert explained.outcome == HeldCopy(
        "{AccessionNumber} is missing or empty in this instance", "set", "rewrite_instance"
    )
    assert [step.hook for step in explained.steps] == ["rewrite_instance"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("time.sleep(60)", "it did not finish within 0.5 s"),
        ("os.abort()", "its worker process ended: SIGABRT"),
        ("raise ValueError(instance.dataset.PatientName)", "ValueError at "),
    ],
)
def test_a_hook_that_hangs_crashes_or_raises_hurts_nobody_else(explaining, body, reason):
    explaining.plugin(f"@hookimpl\ndef rewrite_instance(self, instance): {body}\n")
    chain = '[{"plugin.py:Plugin": , timeout: 0.5 s}]'
    explained = explaining.explain(chain, PatientName="Secret^Patient")
    assert (explained.outcome.plugin, explained.outcome.hook) == (
        "plugin.py:Plugin",
        "rewrite_instance",
    )
    assert explained.outcome.reason.startswith(reason)
    assert "Secret" not in explained.outcome.reason


def test_a_listeners_chain_is_asked_about_the_association_and_then_the_instance(explaining):
    explaining.plugin(
        """
@hookimpl
def accept_association(self, association): ...
@hookimpl
def accept_instance(self, instance): return Refusal("no " + instance.dataset.Modality, 0xA900)
"""
    )
    config = read_config(explaining.folder, "routes: [{name: r, to: [pacs]}]")
    chain = explaining.folder / "listener.yaml"
    chain.write_text(
        'listeners: {l: {chain: ["plugin.py:Plugin"]}}\n'
        "destinations: {f: {type: folder, directory: f}}\nroutes: [{name: r, to: [f]}]\n"
    )
    listener = load(chain).listeners["l"]
    spec = chain_spec(listener.chain, config)
    explained = explaining.pool.explain(spec, Asked(Arriving(explaining.task()), detailed=False))
    assert explained.outcome == Refusal("no CT", 0xA900)
    assert [step.hook for step in explained.steps] == ["accept_association", "accept_instance"]


def test_plugins_are_started_with_a_directory_of_the_callers_choice(explaining):
    explaining.plugin(
        """
@hookimpl
def startup(self, context): (context.directory / "note").write_text("started")
@hookimpl
def verify_instance(self, instance): ...
"""
    )
    explaining.explain('["plugin.py:Plugin"]')
    assert os.listdir(explaining.folder / "plugins") == ["plugin.py:Plugin"]
