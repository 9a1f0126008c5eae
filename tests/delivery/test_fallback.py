"""A fallback takes over while its destination is down, and only then."""

from __future__ import annotations

import pytest

from router.spool import Selection


def section(name: str, port: int, fallback: str = "", title: str = "") -> str:
    more = f", fallback: {fallback}" if fallback else ""
    return (
        f"  {name}: {{ae_title: {title or name.upper()}, host: 127.0.0.1, port: {port}, "
        f"retry: {{first: 50 ms, longest: 100 ms}}{more}}}\n"
    )


def took(site, uid: str) -> tuple[str, str, list[tuple[str, str | None]]]:
    """State, reason, and (outcome, who was tried) of the primary's delivery."""
    trail = site.trail(uid)
    return trail.state, trail.reason, [(a.outcome, a.destination) for a in trail.attempts]


def test_what_the_fallback_took_is_not_sent_to_the_primary(scp, free_port, wait_until, site):
    archive, port = scp(), free_port()
    first = [site.queue(study=f"1.2.{number % 3}") for number in range(20)]
    site.start(section("pacs", port, "archive") + section("archive", archive.port))
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in first))
    for uid in first:
        state, reason, tries = took(site, uid)
        assert (state, reason) == ("delivered", "archive took it instead")
        assert tries[-1] == ("delivered", "archive")
        assert set(tries[:-1]) <= {("retry", None)}

    pacs = scp(port=port)
    wait_until(lambda: site.queue() and pacs.uids, what="what comes now goes to the primary again")
    wait_until(lambda: set(pacs.uids) | set(archive.uids) >= set(first))
    assert not set(pacs.uids) & set(archive.uids)
    assert site.deliveries.stand_in("pacs") is None


def test_a_destination_that_works_needs_no_fallback(scp, wait_until, site):
    pacs, archive = scp(), scp()
    site.start(section("pacs", pacs.port, "archive") + section("archive", archive.port))
    uids = [site.queue() for _ in range(20)]
    wait_until(lambda: all(site.state(uid) == "delivered" for uid in uids))
    assert archive.opened == []


def test_fallbacks_are_a_chain(scp, free_port, wait_until, site):
    last = scp()
    site.start(
        section("pacs", free_port(), "second")
        + section("second", free_port(), "last")
        + section("last", last.port)
    )
    uids = [site.queue(), site.queue("second")]
    wait_until(lambda: site.state(uids[0]) == "delivered")
    wait_until(lambda: site.state(uids[1], "second") == "delivered")
    assert site.trail(uids[0]).reason == "last took it instead"
    both = site.queue("pacs", "second")
    wait_until(lambda: "delivered" in (site.state(both), site.state(both, "second")))
    assert sorted(set(last.uids)) == sorted(last.uids), "nothing twice"


def test_a_folder_can_stand_in(free_port, wait_until, site):
    folder = "  folder: {type: folder, directory: ./kept, path: '{SOPInstanceUID}.dcm'}\n"
    site.start(section("pacs", free_port(), "folder") + folder)
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "delivered")
    assert [path.name for path in (site.directory / "kept").glob("*.dcm")] == [f"{uid}.dcm"]


@pytest.mark.parametrize("why", ["it has a delivery of its own", "it is who sent it"])
def test_some_instances_wait_for_the_primary(scp, free_port, wait_until, site, why):
    archive = scp()
    title = "CT1" if why == "it is who sent it" else "ARCHIVE"
    host = site.start(
        section("pacs", free_port(), "archive")
        + section("archive", archive.port, title=title).replace("127.0.0.1", "localhost")
    )
    both = () if title == "CT1" else ("pacs", "archive")
    waits = site.queue(*both)
    taken = site.queue(calling_ae_title="MR7", study="1.2.77")
    wait_until(lambda: site.state(taken) == "delivered")
    assert site.state(waits) == "queued"
    assert host.outages()
    assert len(set(archive.uids)) == len(archive.uids)


def test_what_only_the_fallback_refuses_is_neither_held_nor_given_up(
    scp, free_port, wait_until, site
):
    archive, port = scp(lambda event: 0xC000), free_port()
    site.start(section("pacs", port, "archive") + section("archive", archive.port))
    uid = site.queue()
    wait_until(lambda: len(archive.uids) > 3)
    assert site.state(uid) == "queued"
    pacs = scp(port=port)
    site.ledger.retry(Selection()).result()
    wait_until(lambda: site.state(uid) == "delivered")
    assert pacs.uids == [uid]


def test_a_paused_primary_is_not_down(scp, free_port, wait_until, site):
    archive = scp()
    site.start(section("pacs", free_port(), "archive") + section("archive", archive.port))
    uid = site.queue()
    wait_until(lambda: site.state(uid) == "delivered")
    site.ledger.pause("pacs").result()
    waits, other = site.queue(), site.queue("archive")
    wait_until(lambda: site.state(other, "archive") == "delivered")
    assert site.state(waits) == "queued"
