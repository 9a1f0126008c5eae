"""Archives and their habits: what a retrieve through the router survives, its counts still true."""

import threading

import pytest

from router.wire import NoAcceptedContext
from tests.story.peers import until
from tests.story.sending import content, generate

from .scripted import (
    FIND,
    MOVE,
    answering,
    asking,
    find,
    move,
    moving,
    together,
)
from .test_move import uid_of


def counts(response):
    c = response.counts
    return (c.completed, c.failed, c.warning)


def test_an_archive_that_says_the_move_originator_sends_for_the_requestor_only(site, tmp_path):
    files = generate(tmp_path / "in", 3)
    site.pacs.move = moving(site.port, files)
    *pending, last = move(site.port, uid_of(files[0]))
    assert (last.status, counts(last)) == (0, (3, 0, 0))
    assert last.counts.remaining is None
    assert pending and all(each.status == 0xFF00 for each in pending)
    assert sorted(map(content, site.ws1.files())) == sorted(map(content, files))
    assert site.archived().isdisjoint(uid_of(file, "SOPInstanceUID") for file in files)


def test_without_a_move_originator_what_arrives_also_takes_the_routes(site, tmp_path):
    files = generate(tmp_path / "in", 3)
    site.pacs.move = moving(site.port, files, says_originator=False)
    *_, last = move(site.port, uid_of(files[0]))
    assert (last.status, counts(last)) == (0, (3, 0, 0))
    assert sorted(map(content, site.ws1.files())) == sorted(map(content, files))
    sent = {uid_of(file, "SOPInstanceUID") for file in files}
    until(lambda: sent <= site.archived(), "the routes' own copies")


def test_an_archive_may_open_several_associations_for_one_move(site, tmp_path):
    files = generate(tmp_path / "in", 4)
    site.pacs.move = moving(site.port, files, parts=4)
    *_, last = move(site.port, uid_of(files[0]))
    assert (last.status, counts(last)) == (0, (4, 0, 0))
    assert sorted(map(content, site.ws1.files())) == sorted(map(content, files))


def test_what_was_not_asked_for_does_not_come_though_it_says_the_originator(site, tmp_path):
    files, others = generate(tmp_path / "in", 1), generate(tmp_path / "others", 1)
    site.pacs.move = moving(site.port, files + others)
    *_, last = move(site.port, uid_of(files[0]))
    assert counts(last)[0] == 1
    assert list(map(content, site.ws1.files())) == list(map(content, files))


def test_several_moves_at_once_get_what_each_asked_for(site, tmp_path):
    studies = [generate(tmp_path / f"in{n}", 3) for n in range(4)]
    by_study = {uid_of(files[0]): files for files in studies}

    def answer(request, exchange):
        study = next(study for study in by_study if study.encode() in request.identifier)
        return moving(site.port, by_study[study])(request, exchange)

    site.pacs.move = answer
    ended = []
    together([lambda s=study: ended.append(move(site.port, s)[-1]) for study in by_study])
    assert [(each.status, counts(each)) for each in ended] == [(0, (3, 0, 0))] * 4
    everything = [content(file) for files in studies for file in files]
    assert sorted(map(content, site.ws1.files())) == sorted(everything)


def test_a_cancel_reaches_the_archive_and_the_counts_are_of_what_was_delivered(site, tmp_path):
    files = generate(tmp_path / "in", 10)
    cancelled = []

    def answer(request, exchange):
        last = moving(site.port, files, until_cancelled=True)(request, exchange)
        cancelled.append(last.status)
        return last

    site.pacs.move = answer
    *_, last = move(site.port, uid_of(files[0]), cancel_after=1)
    assert last.status == 0xFE00
    assert cancelled == [0xFE00]
    assert last.counts.completed == len(site.ws1.files()) <= 5


def test_a_cancel_of_a_query_reaches_the_archive(site):
    seen = []

    def answer(request, exchange):
        for number in range(1000):
            match = {"StudyInstanceUID": f"1.2.{number}", "QueryRetrieveLevel": "STUDY"}
            answering(match)(request, exchange)
            exchange.wait(0.01)
            if exchange.is_cancelled:
                seen.append(number)
                return answering(final=0xFE00)(request, exchange)
        return answering()(request, exchange)

    site.pacs.find = answer
    with asking(site.port, FIND) as requestor:
        *_, last = requestor.ask("find", cancel_after=3, QueryRetrieveLevel="STUDY")
    assert last.status == 0xFE00
    assert seen and seen[0] < 500


def test_an_archive_that_says_ff01_is_passed_on_as_it_says(site):
    match = {"StudyInstanceUID": "1.2.3", "QueryRetrieveLevel": "STUDY"}
    site.pacs.find = answering(match, status=0xFF01)
    with asking(site.port, FIND) as requestor:
        responses = requestor.ask("find", QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    assert [each.status for each in responses] == [0xFF01, 0]


def test_more_matches_than_the_limit_end_in_a_failure_that_says_so(site):
    matches = [{"StudyInstanceUID": f"1.2.{n}", "QueryRetrieveLevel": "STUDY"} for n in range(30)]
    site.pacs.find = answering(*matches)
    found, last = find(site.port, QueryRetrieveLevel="STUDY", StudyInstanceUID="")
    assert (len(found), last.status) == (20, 0xA700)
    assert "20 matches" in last.error_comment


def test_an_archive_that_moves_to_us_in_vain_is_told_as_what_it_is(site):
    site.pacs.move = answering(final=0xA801)
    *_, last = move(site.port, "1.2.3")
    assert last.status == 0xA702
    assert last.error_comment == "pacs does not know ROUTER as a destination"


def test_a_silent_archive_is_given_up_after_the_deadline(site):
    is_over = threading.Event()

    def answer(request, exchange):
        is_over.wait(60)
        return answering()(request, exchange)

    site.pacs.find = answering({"StudyInstanceUID": "1.2.3", "QueryRetrieveLevel": "STUDY"})
    site.pacs.move = answer
    *_, last = move(site.port, "1.2.3", "HASTY")
    is_over.set()
    assert last.status == 0xA702
    assert "said nothing for 5 s" in last.error_comment


def test_empty_moves_at_once_leave_nothing_behind(site):
    together([lambda: move(site.port, "1.2.3") for _ in range(5)])  # what is made once
    threads, files = settled(site)
    together([lambda: check_empty(site) for _ in range(30)])
    until(lambda: settled(site)[0] <= threads + 2, "threads end")
    until(lambda: settled(site)[1] <= files + 4, "connections are closed")


@pytest.mark.soak
def test_three_hundred_empty_moves_at_once_and_a_thousand_in_a_row_leave_nothing_behind(
    site, tmp_path
):
    files = generate(tmp_path / "in", 2)
    site.pacs.move = moving(site.port, files)
    for _ in range(50):
        move(site.port, uid_of(files[0]))
    threads, descriptors = settled(site)
    memory = site.process.memory_info().rss
    for _ in range(1000):
        assert move(site.port, uid_of(files[0]))[-1].counts.completed == 2
    site.pacs.move = answering()
    together([lambda: check_empty(site) for _ in range(300)])
    until(lambda: settled(site)[0] <= threads + 2, "threads end")
    until(lambda: settled(site)[1] <= descriptors + 4, "connections are closed")
    assert site.process.memory_info().rss < memory * 1.2 + 32 * 2**20


def check_empty(site) -> None:
    *_, last = move(site.port, "1.2.3")
    assert (last.status, counts(last)) == (0, (0, 0, 0))


def settled(site) -> tuple[int, int]:
    return site.process.num_threads(), site.process.num_fds()


def test_a_cancel_is_answered_though_the_archive_does_not_heed_it(site, tmp_path):
    given_up = threading.Event()

    def deaf(request, exchange):
        until(lambda: exchange.is_over or exchange.wait(0.2), "the router gives up", 50)
        given_up.set()
        return answering()(request, exchange)

    site.pacs.find = deaf
    with asking(site.port, FIND) as requestor:
        (last,) = requestor.ask("find", cancel_after=0, QueryRetrieveLevel="STUDY")
    assert last.status == 0xFE00
    assert given_up.wait(60)


def test_only_listed_destinations_are_moved_to(site):
    with asking(site.port, MOVE) as requestor:
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.3"}
        (last,) = requestor.ask("move", to="PACS", **keys)
    assert last.status == 0xA801


def test_a_peer_moves_only_to_its_own_destinations(site):
    with asking(site.port, MOVE, "WS3") as requestor:
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.3"}
        (last,) = requestor.ask("move", to="WS1", **keys)
    assert last.status == 0xA801
    assert site.pacs.asked == []
    assert not site.pacs.asked


def test_a_move_destination_that_is_down_is_said_and_nothing_is_tried_for_long(site, tmp_path):
    files = generate(tmp_path / "in", 5)
    site.pacs.move = moving(site.port, files)
    with asking(site.port, MOVE) as requestor:
        keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": uid_of(files[0])}
        *_, last = requestor.ask("move", to="DEAD", **keys)
    assert last.status == 0xA702
    assert last.error_comment.startswith("the move destination cannot be reached")
    assert last.counts.completed == 0


def test_retrieve_ae_titles_name_the_router(site):
    match = {"StudyInstanceUID": "1.2.3", "QueryRetrieveLevel": "STUDY"}
    site.pacs.find = answering({**match, "RetrieveAETitle": "PACS"})
    ((found,), _) = find(
        site.port, QueryRetrieveLevel="STUDY", StudyInstanceUID="", RetrieveAETitle=""
    )
    assert found.RetrieveAETitle == "ROUTER"


def test_nobody_queries_who_is_not_let(site):
    with pytest.raises(NoAcceptedContext):
        find(site.port, "OTHER", QueryRetrieveLevel="STUDY")
    assert not site.pacs.asked


def test_who_is_said_to_store_only_does_not_query_though_an_entry_accepts_it(site):
    with pytest.raises(NoAcceptedContext):
        find(site.port, "WS1STORE", QueryRetrieveLevel="STUDY")
