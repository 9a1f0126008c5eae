"""C-FIND, C-MOVE and C-GET as our own commands ask for them, with keys as people write them."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydicom.datadict import dictionary_VR, keyword_for_tag

from router.dataset import encode_attributes, parse_path
from router.query.conversation import context_of
from router.query.identifier import EXPLICIT_LITTLE_ENDIAN, SYNTAXES, Identifier
from router.query.sop_classes import MODALITY_WORKLIST, SERVICES
from router.query.storage import contexts_for
from router.query.upstream import AFTER_CANCEL
from router.wire import PeerTimeout, Timeouts, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.dataset import Attributes
    from router.query.conversation import Inquiring
    from router.wire import (
        Inquiry,
        OutgoingAssociation,
        Peer,
        QueryResponse,
        Response,
        StoreRequest,
        StoreSink,
    )

Model = Literal["patient", "study", "worklist"]
MODELS: tuple[Model, ...] = ("patient", "study", "worklist")

_ITEM = re.compile(r"\[[01]?\]")  # a query's sequence has one item, whatever people number it
_BARE_TAG = re.compile(r"(?<![(\w])([0-9A-Fa-f]{4},[0-9A-Fa-f]{4})(?=\.|$)")
_NO_VR = {"OB or OW": "OW", "US or SS": "US", "US or SS or OW": "US", "US or OW": "US"}
_SINGLE_VALUED = ("LT", "ST", "UT", "UR")


def sop_class(model: Model, service: Literal["find", "move", "get"]) -> str:
    """The SOP class of an information model; ValueError where a worklist is to be retrieved."""
    if model == "worklist":
        if service != "find":
            raise ValueError("a worklist is queried only")
        return MODALITY_WORKLIST
    wanted = [uid for uid, name in SERVICES.items() if name == service]
    return wanted[MODELS.index(model)]


def add_key(keys: Attributes, text: str) -> None:
    """Add `Keyword=value`, `(gggg,eeee)=value`, or such a path through sequences; without a value
    it is only to be returned. ValueError says what is wrong.
    """
    name, _, value = text.partition("=")
    path = parse_path(_BARE_TAG.sub(r"(\1)", _ITEM.sub("", name.strip())))
    if path.everywhere:
        raise ValueError(f"{text!r}: a key has one place")
    *sequences, last = path.steps
    for step in sequences:
        _, items = keys.setdefault(_tag(keys, step.tag, step.creator), ("SQ", []))
        if not items:
            items.append({})
        keys = items[0]
    tag = _tag(keys, last.tag, last.creator)
    vr = _vr(int(tag, 16))
    if vr == "SQ":
        if value:
            raise ValueError(f"{name} is a sequence: name an element in it")
        keys.setdefault(tag, ("SQ", []))
        return
    values = [value] if vr in _SINGLE_VALUED else value.split("\\")
    try:
        encode_attributes({tag: (vr, values if value else [])})
    except ValueError:
        raise ValueError(f"{value!r} is no value of {name}, whose VR is {vr}") from None
    keys[tag] = (vr, values if value else [])


def encoded(keys: Attributes) -> bytes:
    """The Identifier, in Explicit VR Little Endian."""
    whole = encode_attributes(keys)
    return (
        whole
        if whole.isascii()
        else encode_attributes({**keys, "00080005": ("CS", ["ISO_IR 192"])})
    )


def name_of(tag: str) -> str:
    """The keyword of a tag such as "00100020", else (gggg,eeee)."""
    return keyword_for_tag(int(tag, 16)) or f"({tag[:4]},{tag[4:]})"


def value_of(attribute: tuple[str, list[Any]]) -> Any:  # noqa: ANN401 - JSON
    """One value, a list of several, or the items of a sequence by keyword."""
    vr, values = attribute
    if vr == "SQ":
        return [plain(item) for item in values]
    return values[0] if len(values) == 1 else values or ""


def plain(attributes: Attributes) -> dict[str, Any]:
    """An answer by keyword."""
    return {name_of(tag): value_of(attributes[tag]) for tag in sorted(attributes)}


class Asked:
    """A query or retrieve that a peer was asked; `final` is the last response, once there."""

    def __init__(self, inquiry: Inquiring, syntax: str, silence: float) -> None:
        self._inquiry = inquiry
        self._silence = silence
        self.syntax = syntax
        self.final: QueryResponse | None = None

    def responses(self) -> Iterator[QueryResponse]:
        """Pending ones as they come; the last one is `final`. Raises WireError."""
        while self.final is None:
            response = self._inquiry.receive(self._silence)
            if response is None:
                raise PeerTimeout(f"no response within {self._silence:g} s")
            if response.is_last:
                self.final = response
            else:
                yield response

    def matches(self) -> Iterator[Attributes]:
        """The Identifiers of pending responses; ValueError from one that cannot be read."""
        for response in self.responses():
            if response.identifier is not None:
                yield Identifier(response.identifier, self.syntax).attributes

    def cancel(self) -> None:
        """Send C-CANCEL, and wait a little for the last response."""
        self._inquiry.cancel()
        until = time.monotonic() + AFTER_CANCEL
        while self.final is None and (left := until - time.monotonic()) > 0:
            response = self._inquiry.receive(left)
            if response is not None and response.is_last:
                self.final = response


@contextmanager
def asked(
    peer: Peer,
    sop_class_uid: str,
    keys: Attributes,
    *,
    move_destination: str = "",
    store: Callable[[StoreRequest], StoreSink | Response] | None = None,
    timeouts: Timeouts | None = None,
) -> Iterator[Asked]:
    """Ask a peer, over an association of its own; `store` takes what a C-GET brings.

    Raises WireError.
    """
    timeouts = timeouts or Timeouts()
    stored = contexts_for({}) if store is not None else []
    contexts = [(sop_class_uid, [syntax]) for syntax in SYNTAXES] + stored
    receiving = list(dict.fromkeys(uid for uid, _ in stored))
    association = connect(peer, contexts, timeouts=timeouts, receiving=receiving)
    try:
        context_id, syntax = context_of(association, sop_class_uid, EXPLICIT_LITTLE_ENDIAN)
        question = Identifier(encoded(keys), EXPLICIT_LITTLE_ENDIAN).in_syntax(syntax)
        inquiry = _begun(
            association, sop_class_uid, context_id, question.data, move_destination, store
        )
        yield Asked(inquiry, syntax, timeouts.response)
    except BaseException:
        association.abort()
        raise
    association.release()


def _begun(
    association: OutgoingAssociation,
    sop_class_uid: str,
    context_id: int,
    identifier: bytes,
    move_destination: str,
    store: Callable[[StoreRequest], StoreSink | Response] | None,
) -> Inquiry:
    service = SERVICES[sop_class_uid]
    return association.query(
        "find" if service == "worklist" else service,
        context_id,
        identifier,
        move_destination=move_destination,
        store=store,
    )


def _tag(keys: Attributes, number: int, creator: str | None) -> str:
    """A private element is in the block that its creator reserves (PS3.5 7.8.1), here the next."""
    if creator is None:
        return f"{number:08X}"
    block = 0x10
    group = number & 0xFFFF0000
    while keys.get(f"{group | block:08X}", ("LO", [creator]))[1] != [creator]:
        block += 1
    keys[f"{group | block:08X}"] = ("LO", [creator])
    return f"{number | block << 8:08X}"


def _vr(tag: int) -> str:
    if tag >> 16 & 1:
        return "LO"
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "LO"
    return _NO_VR.get(vr, vr)
