"""The kinds of value a configuration has, each refusing what is wrong in its own words."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    PlainValidator,
    Tag,
    ValidationInfo,
)
from pydantic_core import PydanticKnownError
from pydicom._uid_dict import UID_dictionary
from pydicom.charset import python_encoding
from pydicom.uid import AllTransferSyntaxes

from router.config import value_schemas as s
from router.config.mistakes import nearest
from router.config.schedule import Period, period
from router.config.units import duration, duration_or_never, rate, size, size_or_unlimited
from router.template import PathTemplate

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def ae_title(text: str) -> str:
    """The AE title without padding; ValueError says what is wrong with it (PS3.5 6.2, AE)."""
    title = text.strip(" ")
    if not title:
        raise ValueError("an AE title is not only spaces")
    if len(title) > 16:
        raise ValueError(f"an AE title has at most 16 characters, '{title}' has {len(title)}")
    if "\\" in title or not title.isascii() or _CONTROL.search(title):
        raise ValueError("an AE title is ASCII without backslash or control characters")
    return title


def network(text: str) -> IPNetwork:
    """A network in CIDR notation or a single address; ValueError says what is wrong."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        wider = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"'{text}' is not a network such as 10.0.0.0/8 or 10.1.4.7") from None
    raise ValueError(f"'{text}' has bits set after its prefix, did you mean '{wider}'?")


def path_template(text: str) -> str:
    PathTemplate(text)
    return text


def calling_ae_title(text: str) -> str:
    if text == "{calling_ae_title}":
        return text
    if "{" in text or "}" in text:
        raise ValueError(f"'{text}': the one template here is '{{calling_ae_title}}'")
    return ae_title(text)


def bind_address(text: str) -> str:
    try:
        return "127.0.0.1" if text == "localhost" else str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"'{text}' is not an address of this machine such as 0.0.0.0") from None


def ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"'{text}' is not an address such as 10.1.4.7") from None


def name(text: str) -> str:
    if not text.strip() or _CONTROL.search(text):
        raise ValueError("a name is not empty and has no control characters")
    return text


def host_name(text: str) -> str:
    if not text or re.search(r"[\s/]", text):
        raise ValueError(f"'{text}' is not a host name or address")
    try:
        text.encode("idna")
    except UnicodeError:
        raise ValueError(
            f"'{text}' is not a host name: a part of it is empty or too long"
        ) from None
    return text


def character_set(text: str) -> str:
    if text not in python_encoding:
        raise ValueError(
            f"unknown character set '{text}'{nearest(text, filter(None, python_encoding))}"
        )
    return text


def time_zone(text: str) -> ZoneInfo | None:
    """The time zone; None stands for the machine's own, as in `datetime.astimezone`."""
    if text == "local":
        return None
    zones = available_timezones()
    if text not in zones:
        raise ValueError(f"unknown time zone '{text}'{nearest(text, zones)}")
    return ZoneInfo(text)


_PRIVATE_UID = re.compile(r"(?!1\.2\.840\.10008\.)[0-2](\.(0|[1-9]\d*))+")
_TRANSFER_SYNTAXES = {
    name: str(uid) for uid in AllTransferSyntaxes for name in (str(uid), uid.name, uid.keyword)
}


def transfer_syntax(text: str) -> str:
    uid = _TRANSFER_SYNTAXES.get(text)
    if uid is None and not _PRIVATE_UID.fullmatch(text):
        raise ValueError(f"unknown transfer syntax '{text}'{nearest(text, _TRANSFER_SYNTAXES)}")
    return uid or text


_SOP_CLASSES = {
    name: uid
    for uid, entry in UID_dictionary.items()
    if entry[1] == "SOP Class"
    for name in (uid, entry[0], entry[4])
    if name
}


def sop_class(text: str) -> str:
    uid = _SOP_CLASSES.get(text)
    if uid is None and not _PRIVATE_UID.fullmatch(text):
        raise ValueError(f"unknown SOP class '{text}'{nearest(text, _SOP_CLASSES)}")
    return uid or text


# What the router can make of an object; the last two lose something.
_MADE = (
    *("ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "RLELossless", "JPEGLSLossless"),
    *("JPEG2000Lossless", "JPEGLSNearLossless", "JPEG2000"),
)
_MADE_UIDS = frozenset(map(_TRANSFER_SYNTAXES.get, _MADE))


def made_transfer_syntax(text: str) -> str:
    """One that objects may be turned into; ValueError names them all."""
    uid = transfer_syntax(text)
    if uid not in _MADE_UIDS:
        raise ValueError(f"'{text}': the router turns objects into these only: {', '.join(_MADE)}")
    return uid


def whole_number(value: object, lowest: int, highest: int | None = None) -> int:
    """`value`, or the digits of a text (an environment variable's); ValueError if out of bounds."""
    limits = f"{lowest} or more" if highest is None else f"from {lowest} to {highest}"
    if isinstance(value, str) and re.fullmatch(r"-?\d+|0x[0-9A-Fa-f]+", value):
        value = int(value, 16 if value.startswith("0x") else 10)
    if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
        raise ValueError(f"expected a whole number {limits}")
    if highest is not None and value > highest:
        raise ValueError(f"expected a whole number {limits}")
    return value


def dimse_status(value: object) -> int:
    """`0x0111`, or the number; `0111` would be neither what it says nor what is meant."""
    if isinstance(value, str) and not value.startswith("0x"):
        raise ValueError("expected a status such as 0x0111")
    return whole_number(value, 0, 0xFFFF)


def web_address(text: str) -> str:
    address = urlsplit(text)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"'{text}' is not an address such as https://pager.example/hook")
    return text


def bounded_size(lowest: str, highest: str) -> PlainValidator:
    """A size within bounds that are written as a file would have them."""

    def check(value: object) -> int:
        found = size(value)
        if not size(lowest) <= found <= size(highest):
            raise ValueError(f"expected a size from {lowest} to {highest}")
        return found

    return PlainValidator(check)


def close_after(value: object) -> float | Literal["study"]:
    return "study" if value == "study" else duration(value)


def workers(value: object) -> int | Literal["auto"]:
    return "auto" if value == "auto" else whole_number(value, 1)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


def absolute(value: object, info: ValidationInfo) -> Path:
    directory = info.context["directory"] if info.context else ""
    return Path(directory, _text(value)).absolute()


def _one_as_many(value: Any) -> Any:  # noqa: ANN401
    return (value,) if isinstance(value, str | int | float) else value


def _whole(lowest: int, highest: int | None = None) -> PlainValidator:
    return PlainValidator(lambda value: whole_number(value, lowest, highest))


def _word_or_list(word: str) -> Discriminator:
    return Discriminator(lambda value: word if value == word else "listed")


T = TypeVar("T")
Many = Annotated[tuple[T, ...], BeforeValidator(_one_as_many)]  # one needs no brackets
AllOr = Annotated[
    Annotated[Literal["all"], Tag("all")] | Annotated[Many[T], Tag("listed")],
    _word_or_list("all"),
]
AsIsOr = Annotated[
    Annotated[Literal["as_is"], Tag("as_is")] | Annotated[Many[T], Tag("listed")],
    _word_or_list("as_is"),
]

Duration = Annotated[float, PlainValidator(duration), s.DURATION]
DurationOrNever = Annotated[float, PlainValidator(duration_or_never), s.DURATION_OR_NEVER]
CloseAfter = Annotated[float | Literal["study"], PlainValidator(close_after), s.CLOSE_AFTER]
Size = Annotated[int, PlainValidator(size), s.SIZE]
PduSize = Annotated[int, bounded_size("1 KiB", "16 MiB"), s.SIZE]
HeaderSize = Annotated[int, bounded_size("64 KiB", "64 MiB"), s.SIZE]
SizeOrUnlimited = Annotated[float, PlainValidator(size_or_unlimited), s.SIZE_OR_UNLIMITED]
Rate = Annotated[float, PlainValidator(rate), s.RATE]
Schedule = Many[Annotated[Period, PlainValidator(lambda value: period(_text(value))), s.PERIOD]]
WebAddress = Annotated[str, AfterValidator(web_address), s.WEB_ADDRESS]
Count = Annotated[int, _whole(1), s.whole(1)]
Contexts = Annotated[int, _whole(1, 128), s.whole(1, 128)]  # PS3.8 9.3.2.2: odd IDs of one byte
Depth = Annotated[int, _whole(1, 64), s.whole(1, 64)]
Workers = Annotated[int | Literal["auto"], PlainValidator(workers), s.whole(1, None, "auto")]
Priority = Annotated[int, _whole(-(2**31), 2**31), s.whole(-(2**31), 2**31)]
Status = Annotated[int, PlainValidator(dimse_status), s.STATUS]
ListenPort = Annotated[int, _whole(0, 65535), s.whole(0, 65535)]
PeerPort = Annotated[int, _whole(1, 65535), s.whole(1, 65535)]
Name = Annotated[str, AfterValidator(name), s.NAME]
AETitle = Annotated[str, AfterValidator(ae_title), s.AE_TITLE]
CallingAETitle = Annotated[str, AfterValidator(calling_ae_title), s.CALLING_AE_TITLE]
BindAddress = Annotated[str, AfterValidator(bind_address), s.BIND_ADDRESS]
IPAddress = Annotated[str, AfterValidator(ip_address), s.ADDRESS]
HostName = Annotated[str, AfterValidator(host_name), s.HOST_NAME]
Network = Annotated[IPNetwork, PlainValidator(lambda value: network(_text(value))), s.NETWORK]
TransferSyntax = Annotated[
    str,
    AfterValidator(transfer_syntax),
    s.one_of(
        (uid.keyword for uid in AllTransferSyntaxes),
        also=_TRANSFER_SYNTAXES,
        pattern=_PRIVATE_UID.pattern,
    ),
]
MadeTransferSyntax = Annotated[
    str,
    AfterValidator(made_transfer_syntax),
    s.one_of(_MADE, also=(n for n, uid in _TRANSFER_SYNTAXES.items() if uid in _MADE_UIDS)),
]
SopClass = Annotated[
    str, AfterValidator(sop_class), s.one_of((), also=_SOP_CLASSES, pattern=_PRIVATE_UID.pattern)
]
CharacterSet = Annotated[str, AfterValidator(character_set), s.one_of(python_encoding)]
TimeZone = Annotated[ZoneInfo | None, PlainValidator(lambda value: time_zone(_text(value))), s.TEXT]
AbsolutePath = Annotated[Path, PlainValidator(absolute), s.TEXT]
PathTemplateText = Annotated[str, AfterValidator(path_template), s.TEXT]
