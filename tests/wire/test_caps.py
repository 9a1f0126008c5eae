"""Caps of a listener beyond the number of associations: each says no in its own way."""

import pytest

from router.wire import (
    Acceptor,
    AcceptorLimits,
    AssociationRejected,
    Census,
    QueryRequest,
    Response,
)
from router.wire.query_commands import encode_query_request
from tests.wire.peers import (
    CT,
    EXPLICIT,
    FIND,
    IMPLICIT,
    VERIFICATION,
    RawPeer,
    associate_request,
    pdu,
    pdv,
)


def rejection(port, **request):
    with RawPeer.to(port) as peer:
        peer.send(associate_request(**request))
        return peer.receive()


def test_one_address_has_so_many_associations(listen, ask, wait_until):
    acceptor = listen(associations_per_address=2)
    first, second = ask(acceptor.port), ask(acceptor.port)
    assert rejection(acceptor.port) == (3, bytes([0, 2, 3, 2]))
    first.release()
    wait_until(lambda: acceptor.associations == 1)
    assert ask(acceptor.port).echo() == second.echo() == Response(0)


def test_all_listeners_together_have_so_many_associations(recorder, ask, wait_until):
    census = Census(2)
    acceptors = [Acceptor("127.0.0.1", 0, recorder, census=census) for _ in range(2)]
    for acceptor in acceptors:
        acceptor.start()
    first, _ = ask(acceptors[0].port), ask(acceptors[1].port)
    with pytest.raises(AssociationRejected):
        ask(acceptors[1].port)
    first.release()
    wait_until(lambda: acceptors[0].associations == 0)
    assert ask(acceptors[1].port).echo() == Response(0)
    for acceptor in acceptors:
        acceptor.close()
        acceptor.drain(0)
    assert repr(census) == "<Census 0 of 2>"


def test_who_asks_too_often_is_told_to_come_back_and_it_is_logged_once(listen, recorder, caplog):
    acceptor = listen(requests_per_minute=3)
    answers = [rejection(acceptor.port) for _ in range(12)]  # a minute may begin within
    assert (3, bytes([0, 2, 3, 1])) in answers
    assert len(recorder.requests) in range(3, 7)
    assert caplog.text.count("asks more often") == len(recorder.turned) == 1


def test_more_contexts_than_allowed_are_rejected(listen, recorder):
    acceptor = listen(presentation_contexts=2)
    three = [(CT, [IMPLICIT]), (CT, [EXPLICIT]), (VERIFICATION, [IMPLICIT])]
    assert rejection(acceptor.port, contexts=three) == (3, bytes([0, 2, 3, 2]))
    assert rejection(acceptor.port, contexts=three[:2])[0] == 2
    assert len(recorder.requests) == 1


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"command_set": 1024}, pdu(4, pdv(bytes(1025), 1))),
        ({"maximum_pdu": 4096}, pdu(4, pdv(bytes(6000), 1))),
    ],
)
def test_what_is_larger_than_its_cap_ends_the_association(listen, limits, message):
    with RawPeer.associated(listen(**limits).port) as peer:
        peer.send(message)
        assert peer.receive() == (7, bytes([0, 0, 2, 6]))


def test_a_query_larger_than_its_cap_ends_the_association(listen):
    request = encode_query_request(QueryRequest("find", 1, 1, IMPLICIT, FIND, 0, b"", ""))
    with RawPeer.associated(listen(identifier=1000).port, contexts=[(FIND, [IMPLICIT])]) as peer:
        peer.send(pdu(4, pdv(request, 3)) + pdu(4, pdv(bytes(1001), 2)))
        assert peer.receive()[0] == 7


def test_limits_count_for_what_begins_after_them(listen, ask):
    acceptor = listen()
    old = ask(acceptor.port)
    acceptor.limits = AcceptorLimits(presentation_contexts=1)
    assert rejection(acceptor.port)[0] == 3
    assert old.echo() == Response(0)
