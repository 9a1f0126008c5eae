"""Which arriving instances are for a retrieve, and what becomes of them when it ends."""

from router.spool import Asked, HeldCopy, Selection, Skipped, Spool, Which

from .making import accept, deliver, deliveries, finish_copies, processed

STUDY = Asked(studies=frozenset({"1.2.3"}))
WHICH = Which("1.2.3.4.5", "1.2.3.4", "1.2.3", "4711")
OURS = ("ROUTER", 7)


def opened(ledger, asked=STUDY, chain=False):
    retrieve = ledger.open_retrieve("move", "workstations", "ws1", chain, asked)
    retrieve.expect_from(["PACS", "10.1.1.1"], [OURS])
    return retrieve


def names(expected):
    return [retrieve.number for retrieve in expected.retrieves]


def test_nothing_is_expected_while_nobody_retrieves(ledger):
    expected = ledger.expected(WHICH, ["PACS"], OURS)
    assert (expected.copies, expected.routes) == ((), True)


def test_a_move_originator_of_ours_makes_it_the_retrieves_alone(ledger):
    retrieve = opened(ledger)
    expected = ledger.expected(WHICH, ["ANY"], OURS)
    assert (names(expected), expected.routes) == ([retrieve.number], False)
    assert expected.copies[0].destinations == (retrieve.destination,)


def test_without_an_originator_it_is_known_by_who_sends_and_also_takes_the_routes(ledger):
    retrieve = opened(ledger)
    assert names(ledger.expected(WHICH, ["CT1", "10.9.9.9"], None)) == []
    expected = ledger.expected(WHICH, ["CT1", "10.1.1.1"], None)
    assert (names(expected), expected.routes) == ([retrieve.number], True)


def test_somebody_elses_move_to_us_is_no_retrieve(ledger):
    opened(ledger)
    expected = ledger.expected(WHICH, ["PACS"], ("OTHER", 7))
    assert (expected.copies, expected.routes) == ((), True)


def test_an_instance_is_taken_once_by_each_retrieve_unless_it_was_not_accepted(ledger):
    one, two = opened(ledger), opened(ledger)
    expected = ledger.expected(WHICH, ["PACS"], None)
    assert names(expected) == [one.number, two.number]
    assert names(ledger.expected(WHICH, ["PACS"], None)) == []
    ledger.not_accepted(expected, WHICH.sop_instance_uid)
    assert names(ledger.expected(WHICH, ["PACS"], None)) == [one.number, two.number]


def test_only_what_was_asked_for_at_its_level_is_expected(ledger):
    for asked, fits in (
        (Asked(series=frozenset({"1.2.3.4"})), True),
        (Asked(series=frozenset({"9"})), False),
        (Asked(studies=frozenset({"1.2.3"}), instances=frozenset({"9"})), False),
        (Asked(patient_ids=frozenset({"4711"})), True),
        (Asked(), False),
    ):
        retrieve = opened(ledger, asked)
        assert bool(names(ledger.expected(WHICH, ["PACS"], OURS))) is fits
        ledger.close_retrieve(retrieve, 0, 0, 0, "").result(20)


def test_what_comes_when_it_has_ended_is_for_nobody(ledger):
    retrieve = opened(ledger)
    ledger.close_retrieve(retrieve, 0, 0, 0, "").result(20)
    expected = ledger.expected(WHICH, ["PACS"], OURS)
    assert (expected.copies, expected.routes) == ((), False)


def test_what_was_on_its_way_in_when_it_ended_is_discarded_like_the_rest(spool):
    retrieve = opened(spool.ledger)
    expected = spool.ledger.expected(WHICH, ["PACS"], OURS)
    spool.ledger.close_retrieve(retrieve, 0xFE00, 0, 0, "").result(20)
    accept(spool, *expected.copies)
    assert deliveries(spool) == [(retrieve.destination, "workstations", "discarded")]
    assert spool.ledger.count(Selection()) == 0


def test_what_the_chain_skips_or_holds_is_told_and_ends_with_it(spool: Spool):
    retrieve = opened(spool.ledger, chain=True)
    for number, outcome in enumerate(
        (Skipped("no", "skip"), HeldCopy("broken", "set", "rewrite_instance"), None)
    ):
        which = Which(f"1.{number}", "1.2.3.4", "1.2.3", "4711")
        expected = spool.ledger.expected(which, ["PACS"], OURS)
        accept(spool, *expected.copies, uid=which.sop_instance_uid)
        made = outcome or processed(retrieve.destination, uid="2.2")
        finish_copies(spool, workstations=made)
    state = spool.ledger.retrieve_state(retrieve)
    assert (state.open, state.skipped) == (1, {"1.0"})
    assert state.failed == {"1.1": "broken"}
    spool.ledger.close_retrieve(retrieve, 0xB000, 1, 1, "").result(20)
    assert deliveries(spool, "1.2") == [(retrieve.destination, "workstations", "discarded")]
    assert spool.ledger.count(Selection()) == 0


def test_what_is_left_of_a_retrieve_is_discarded_at_the_next_start(tmp_path):
    with Spool(tmp_path / "spool") as spool:
        retrieve = opened(spool.ledger)
        accept(spool, *spool.ledger.expected(WHICH, ["PACS"], OURS).copies)
    with Spool(tmp_path / "spool") as spool:
        assert deliver(spool, retrieve.destination) == 0
        assert deliveries(spool) == [(retrieve.destination, "workstations", "discarded")]
        assert opened(spool.ledger).number > retrieve.number
