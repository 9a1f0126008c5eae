"""What was recorded is counted, once, and only what was."""

import dataclasses

import pytest

from router.spool import Attempt, HeldCopy, IntakeRefusal, Skipped, Spool, SpoolError
from tests.spool.making import (
    ASSOCIATION,
    NOW,
    accept,
    arrival,
    deliver,
    finish_copies,
    planned,
    processed,
)


def counted(spool: Spool) -> dict[str, int]:
    return {" ".join(key): number for key, number in spool.ledger.tally().items()}


def test_instances_count_by_listener_and_copies_by_route_and_what_became_of_them(spool):
    accept(spool, planned("pacs"))
    assert counted(spool) == {
        "instances radiology": 1,
        "bytes radiology": 4,
        "copies clinical processed": 1,
    }


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Skipped("localizer", "skip"), "skipped"),
        (HeldCopy("no key", "deidentify", "rewrite_instance"), "held"),
    ],
)
def test_a_copy_with_a_chain_counts_when_that_has_ended(spool, outcome, state):
    accept(spool, planned("pacs", chain=True))
    assert not [key for key in counted(spool) if key.startswith("copies")]
    finish_copies(spool, clinical=outcome)
    assert counted(spool)[f"copies clinical {state}"] == 1


def test_a_chain_that_went_well_counts_as_processed(spool):
    accept(spool, planned("pacs", chain=True))
    finish_copies(spool, clinical=processed("pacs"))
    assert counted(spool)["copies clinical processed"] == 1


def test_attempts_count_by_destination_and_outcome(spool):
    accept(spool, planned("pacs"))
    [task] = spool.ledger.claim("pacs", 1)
    spool.ledger.finish([Attempt(task.delivery_id, NOW, "retry", 0xA700)]).result(20)
    deliver(spool, "pacs")
    found = counted(spool)
    assert found["attempts pacs retry"] == found["attempts pacs delivered"] == 1
    assert found["delivered bytes pacs"] == 4


def test_what_could_not_be_recorded_does_not_count(spool):
    one = arrival(spool, planned("pacs"))
    wrong = spool.ledger.accept(dataclasses.replace(one, series_instance_uid=None))
    spool.ledger.accept(one).result(20)  # in the same commit, if both are there when it begins
    with pytest.raises(SpoolError):
        wrong.result(20)
    assert counted(spool)["instances radiology"] == 1


def test_refusals_count_by_status_and_rejected_associations_by_listener(spool):
    for status in (0x0124, 0x0124, 0xA700, 0):
        spool.ledger.refused(
            IntakeRefusal(NOW, "radiology", "CT1", "10.1.4.7", "1.2.3", status, "no")
        )
    assert counted(spool) == {
        "refused radiology 0x0124": 2,
        "refused radiology 0xA700": 1,
        "rejected radiology": 1,
    }


def test_associations_count_by_listener(spool):
    spool.ledger.association_began(ASSOCIATION)
    assert counted(spool) == {"associations radiology": 1}


def test_a_probe_is_answered_while_the_ledger_works(spool):
    assert spool.ledger.probe().result(20) is None
