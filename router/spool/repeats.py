"""The same SOP Instance UID once more: what is sent again, what waits its turn, what goes round."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from router.dataset import FileRange
from router.spool.codec import to_microseconds
from router.spool.digest import new_digest
from router.spool.settling import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import apsw

    from router.dataset import Segment
    from router.spool.records import Stored
    from router.spool.transaction import Transaction

log = logging.getLogger("router.spool")

MOST_COMPARED = 256  # instances of one SOP Instance UID, the last ones
LOOP_GUARD = 10  # of a destination that is not in the configuration any more
AFTER_ANOTHER = to_microseconds(datetime(2100, 1, 1, tzinfo=UTC))  # due when that one is done
WITH_ITS_STUDY = AFTER_ANOTHER + 1  # due when that is complete, and when another is done as well
EARLIER_FIRST = "an earlier version goes first"
GATHERS = "its study is not complete"

_CONTENT = "coalesce(c.content, iif(c.sop_instance_uid IS NULL, i.digest, NULL))"
_OWN = f"""
SELECT {_CONTENT}, i.sop_instance_uid
FROM copies c JOIN instances i ON i.id = c.instance WHERE c.id = ?
"""
# An earlier version may still become a delivery there: chains run beside each other.
_UNDECIDED = f"""
SELECT max(c.id) FROM (
    SELECT id, state FROM instances WHERE sop_instance_uid = :uid AND id < :instance
    ORDER BY id DESC LIMIT {MOST_COMPARED}) i
JOIN copies c ON c.instance = i.id
WHERE (c.state = 'received' OR c.state = 'held' AND c.retry_at IS NOT NULL
        OR i.state = 'pending' AND c.state = 'processed')
    AND (c.route = :route
        OR EXISTS (SELECT 1 FROM json_each(c.destinations) WHERE value = :destination))
"""
_BEHIND_COPIES = """
SELECT d.id, d.instance, d.copy, d.destination, own.route,
    coalesce(own.sop_instance_uid, i.sop_instance_uid)
FROM copies first JOIN deliveries d ON d.behind = -first.id
    JOIN copies own ON own.id = d.copy JOIN instances i ON i.id = d.instance
WHERE first.instance = ? AND d.state = 'waiting' ORDER BY d.instance, d.id
"""
_JUDGE_AGAIN = """
UPDATE deliveries SET state = :state, reason = :reason, behind = :behind, due = :due,
    changed = :now WHERE id = :id
"""
# Nearly all come once: this is the only question then.
_SEEN = """
SELECT 1 FROM instances WHERE sop_instance_uid IN (
    :uid, (SELECT sop_instance_uid FROM instances WHERE id = :instance)) AND id != :instance
UNION ALL SELECT 1 FROM copies WHERE sop_instance_uid = :uid AND instance != :instance LIMIT 1
"""
_OTHERS = f"""
FROM deliveries d JOIN copies c ON c.id = d.copy JOIN instances i ON i.id = d.instance
WHERE d.instance IN (
        SELECT id FROM (SELECT id FROM instances WHERE sop_instance_uid = :uid
                        ORDER BY id DESC LIMIT {MOST_COMPARED})
        UNION SELECT instance FROM (SELECT instance FROM copies WHERE sop_instance_uid = :uid
                                    ORDER BY id DESC LIMIT {MOST_COMPARED}))
    AND d.instance != :instance AND d.destination = :destination
    AND coalesce(c.sop_instance_uid, i.sop_instance_uid) = :uid AND coalesce(d.behind, 0) >= 0
"""
_LAST = f"""
SELECT d.id, d.state, {_CONTENT} {_OTHERS}
    AND d.state IN ('queued', 'waiting', 'held', 'delivered')
ORDER BY d.state IN ('queued', 'waiting') DESC, d.instance DESC, d.id DESC LIMIT 1
"""
# It was decided late: somebody has released or discarded something.
_NEWER = f"""
SELECT 1 {_OTHERS} AND d.instance > :instance AND d.state IN ('queued', 'waiting', 'delivered')
    AND (:content IS NULL OR {_CONTENT} IS NOT :content) LIMIT 1
"""
_HOPS = f"""
SELECT count(*) FROM (
    SELECT id, association FROM instances WHERE sop_instance_uid = :uid
    ORDER BY id DESC LIMIT {MOST_COMPARED}) i
JOIN associations a ON a.id = i.association
JOIN instances own ON own.id = :instance JOIN associations b ON b.id = own.association
WHERE i.id != own.id AND a.calling_ae_title = b.calling_ae_title AND a.address = b.address
    AND EXISTS (SELECT 1 FROM deliveries d WHERE d.instance = i.id
                AND d.destination = :destination AND d.state != 'suppressed')
"""
_GATHERS = """
SELECT 1 FROM gathered g JOIN studies s ON s.id = g.study
WHERE g.copy = ? AND s.state = 'gathering' AND s.together
"""
# A delivery that waits behind another is let go, or waits behind that one's own predecessor.
_TRIGGER = f"""
CREATE TEMP TRIGGER delivery_left AFTER UPDATE OF state, destination ON main.deliveries
WHEN old.state IN ('queued', 'waiting')
    AND (new.state NOT IN ('queued', 'waiting') OR new.destination != old.destination) BEGIN
    UPDATE deliveries SET behind = old.behind WHERE behind = new.id AND state = 'waiting'
        AND EXISTS (SELECT 1 FROM deliveries first
                    WHERE first.id = old.behind AND first.state IN ('queued', 'waiting'));
    UPDATE deliveries SET behind = NULL
        WHERE behind = new.id AND state = 'waiting' AND due = {WITH_ITS_STUDY};
    SELECT delivery_due(destination) FROM deliveries WHERE behind = new.id AND state = 'waiting';
    UPDATE deliveries SET state = 'queued', due = NULL, reason = NULL, behind = NULL
        WHERE behind = new.id AND state = 'waiting';
END;
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state a new delivery is made in, and why; `behind` is the delivery it has to do with,
    or, negative, the copy of an earlier version that is not decided yet.
    """

    state: str = "queued"
    reason: str | None = None
    behind: int | None = None
    due: int | None = None


def watch(connection: apsw.Connection, transaction: Transaction) -> None:
    """Have deliveries follow those they wait behind, whatever becomes of these."""

    def due(*values: Any) -> None:  # noqa: ANN401
        transaction.topics.add(f"destination:{values[0]}")

    connection.create_scalar_function("delivery_due", due, 1)
    connection.execute(_TRIGGER)


def fingerprint(segments: Iterable[Segment], stored: Stored, digest: bytes | None) -> bytes | None:
    """A hash of what a changed copy consists of; None when that is not known without reading."""
    if digest is None:
        return None
    content = new_digest()
    content.update(digest)
    for segment in segments:
        if not isinstance(segment, FileRange):
            content.update(b"B%d " % len(segment))
            content.update(segment)
        elif segment.path == stored.path:
            content.update(b"F%d %d " % (segment.offset - stored.offset, segment.length))
        else:
            return None
    return content.digest()


def judge(
    transaction: Transaction, instance: int, copy: Candidate, destination: str, asked: bool = False
) -> Verdict:
    """What becomes of a delivery, in the light of those made of this SOP Instance UID before.

    What somebody has `asked` for is sent again whatever the destination's settings say.
    """
    uid = copy.sop_instance_uid
    where = {"uid": uid, "instance": instance, "destination": destination}
    if transaction.execute(_SEEN, where).fetchone() is None:
        return Verdict()
    [(content, received_uid)] = transaction.execute(_OWN, (copy.copy_id,))
    received = where | {"uid": received_uid}
    [(undecided,)] = transaction.execute(_UNDECIDED, received | {"route": copy.route})
    if undecided is not None:
        return Verdict("waiting", EARLIER_FIRST, -undecided, AFTER_ANOTHER)
    if not asked and transaction.execute(_NEWER, where | {"content": content}).fetchone():
        return Verdict("held", "a newer version was sent there first")
    settings = transaction.destinations.get(destination)
    resend = settings.resend if settings and not asked else "always"
    last = transaction.execute(_LAST, where).fetchone()
    verdict = _compare(last, content, resend) if last else Verdict()
    if asked or verdict.state in ("suppressed", "held"):
        return verdict
    limit = settings.loop_guard if settings else LOOP_GUARD
    [(hops,)] = transaction.execute(_HOPS, received)
    if hops < limit:
        return verdict
    tell = partial(
        log.error, "loop.held destination=%s sop_instance_uid=%s times=%d", destination, uid, hops
    )
    transaction.after_commit.append(tell)
    return Verdict("held", f"loop_guard: it came from this sender and went there {limit} times")


def with_its_study(transaction: Transaction, copy: int, verdict: Verdict) -> Verdict:
    """The verdict, but not before its study is complete where its route sends studies whole."""
    if not transaction.gathers or verdict.state not in ("queued", "waiting"):
        return verdict
    if transaction.execute(_GATHERS, (copy,)).fetchone() is None:
        return verdict
    return Verdict("waiting", GATHERS, verdict.behind, WITH_ITS_STUDY)


def judge_followers(transaction: Transaction, instance: int) -> None:
    """Judge anew what waits until the copies of this instance are decided: some may be."""
    for row, own, copy_id, destination, route, uid in list(
        transaction.execute(_BEHIND_COPIES, (instance,))
    ):
        copy = Candidate(copy_id, route, "processed", (), uid)
        verdict = with_its_study(transaction, copy_id, judge(transaction, own, copy, destination))
        values = {"id": row, "now": transaction.now, **asdict(verdict)}
        transaction.execute(_JUDGE_AGAIN, values)
        transaction.topics.add(f"destination:{destination}")
        transaction.touched.add(own)


def _compare(last: tuple[Any, ...], content: bytes | None, resend: str) -> Verdict:
    """`last` is the delivery that was made there last: its id, state and content."""
    delivery, state, its_content = last
    same = content is not None and content == its_content
    if state != "delivered":
        if same:
            return Verdict("suppressed", "the same waits there already", delivery)
        if state == "held":
            return Verdict()
        return Verdict("waiting", EARLIER_FIRST, delivery, AFTER_ANOTHER)
    if resend == "always" or (resend == "if_changed" and not same):
        return Verdict()
    if same:
        return Verdict("suppressed", f"resend: {resend}, and it was delivered before", delivery)
    return Verdict("held", "resend: never, and what was delivered before is another version")
