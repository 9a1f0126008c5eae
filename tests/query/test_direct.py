"""`instances: direct`: archives send to the requestor themselves, and their word is passed on."""

from router.wire import QueryResponse, SubOperations
from tests.story.sending import content, generate

from .scripted import answering, move, send
from .test_move import uid_of

STUDY = {"QueryRetrieveLevel": "STUDY"}


def sending(site, files, status=0):
    """An archive that knows the workstation."""

    def answer(request, exchange):
        assert request.move_destination == "WS1"
        done = 0
        for each in send(site.ws1.port, files, ("STRAIGHT", request.message_id), called="WS1"):
            done += each == 0
            counts = SubOperations(len(files) - done, done, 0, 0)
            exchange.send(QueryResponse(0xFF00, counts=counts))
        return QueryResponse(status, counts=SubOperations(None, done, 0, 0))

    return answer


def test_the_archive_sends_to_the_requestor_and_its_counts_are_passed_on(site, tmp_path):
    files = generate(tmp_path / "in", 3)
    study = uid_of(files[0])
    site.pacs.find = answering({**STUDY, "StudyInstanceUID": study})
    site.pacs.move = sending(site, files)
    *pending, last = move(site.port, study, "STRAIGHT")
    assert [each.counts.completed for each in pending] == sorted(
        each.counts.completed for each in pending
    )
    assert (last.status, last.counts) == (0, SubOperations(None, 3, 0, 0))
    assert sorted(map(content, site.ws1.files())) == sorted(map(content, files))
    assert [request.service for request in site.old.asked] == ["find"]


def test_what_two_archives_send_is_counted_together(site, tmp_path):
    files = generate(tmp_path / "in", 4)
    study = uid_of(files[0])
    for archive, part in ((site.pacs, files[:1]), (site.old, files[1:])):
        archive.find = answering({**STUDY, "StudyInstanceUID": study})
        archive.move = sending(site, part)
    *_, last = move(site.port, study, "STRAIGHT")
    assert (last.status, last.counts.completed) == (0, 4)
    assert sorted(map(content, site.ws1.files())) == sorted(map(content, files))


def test_an_archive_that_fails_is_named_beside_what_the_other_sent(site, tmp_path):
    files = generate(tmp_path / "in", 2)
    study = uid_of(files[0])
    for archive in (site.pacs, site.old):
        archive.find = answering({**STUDY, "StudyInstanceUID": study})
    site.pacs.move = sending(site, files)
    site.old.move = answering(final=0xA801)
    *_, last = move(site.port, study, "STRAIGHT")
    assert (last.status, last.counts.completed) == (0xB000, 2)
    assert last.error_comment == "old: failed"
