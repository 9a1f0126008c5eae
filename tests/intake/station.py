"""A listener with its acceptor, generation and spool: what a modality meets, without the rest."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_VR, tag_for_keyword

from router.config import load
from router.intake import Listener
from router.routing import build_generation
from router.spool import Spool
from router.wire import Acceptor, Peer, connect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from router.config import Config
    from router.wire import OutgoingAssociation, Response

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"

CONFIG = """\
spool: {{directory: ./spool, keep_free: {keep_free}}}
listeners:
  {name}: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1, {listener}}}
destinations:
  pacs: {{ae_title: PACS, host: pacs.example, port: 104}}
  vna: {{type: folder, directory: ./vna}}
{more}
routes:
{routes}
"""
EVERYTHING = "  - {name: everything, to: [pacs, vna]}"


def data_set(**elements: str | bytes | None) -> bytes:
    """A small CT instance in explicit VR little endian, with these values as they are; None: none.

    Not by pydicom, which will not write what must never stop a router.
    """
    values: dict[str, str | bytes | None] = {
        "SOPClassUID": CT,
        "SOPInstanceUID": "1.2.3.4",
        "StudyInstanceUID": "1.2.9",
        "SeriesInstanceUID": "1.2.9.1",
        "Modality": "CT",
    }
    content = b""
    for keyword, value in sorted((values | elements).items(), key=lambda of: tag(of[0])):
        if value is None:
            continue
        raw = value if isinstance(value, bytes) else value.encode()
        vr = dictionary_VR(tag(keyword))
        raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
        group, element = divmod(tag(keyword), 0x10000)
        content += struct.pack("<HH2sH", group, element, vr.encode(), len(raw)) + raw
    return content


def tag(keyword: str) -> int:
    found = tag_for_keyword(keyword)
    assert found is not None
    return found


def read(
    folder: Path,
    listener: str = "",
    routes: str = EVERYTHING,
    more: str = "",
    keep_free: str = "0",
    name: str = "radiology",
) -> Config:
    path = folder / "config.yaml"
    parts = {"listener": listener, "routes": routes, "more": more, "keep_free": keep_free}
    path.write_text(CONFIG.format(name=name, **parts))
    return load(path)


class Station:
    """Started on a free port; `send` what a modality would."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.spool = Spool(folder / "spool")
        self.spool.open()
        self.ledger = self.spool.ledger
        self.generation = build_generation(config, 1, folder / "plugins")
        [name] = config.listeners
        self.acceptor = Acceptor(
            "127.0.0.1", 0, Listener(name, self.spool, lambda: self.generation)
        )
        self.acceptor.start()
        self.port = self.acceptor.port

    def close(self) -> None:
        self.acceptor.close()
        self.acceptor.drain(0)
        self.generation.close()
        self.spool.close()

    def reload(self, **config: str) -> None:
        """What associations that begin from now on go by."""
        self.generation.close()
        self.generation = build_generation(
            read(self.folder, **config), self.generation.number + 1, self.folder / "plugins"
        )

    def associate(
        self,
        contexts: Iterable[tuple[str, list[str]]] = ((CT, [EXPLICIT]),),
        calling_ae_title: str = "CT1",
        called_ae_title: str = "ROUTER",
    ) -> OutgoingAssociation:
        peer = Peer("127.0.0.1", self.port, called_ae_title, calling_ae_title)
        return connect(peer, list(contexts))

    def send(
        self,
        content: bytes | None = None,
        *,
        uid: str = "1.2.3.4",
        sop_class: str = CT,
        calling_ae_title: str = "CT1",
        transfer_syntax: str = EXPLICIT,
        **elements: str | bytes | None,
    ) -> Response:
        """One C-STORE in its own association; `content` is made of `elements` if not given."""
        if content is None:
            content = data_set(**{"SOPInstanceUID": uid, "SOPClassUID": sop_class} | elements)
        association = self.associate([(sop_class, [transfer_syntax])], calling_ae_title)
        context = association.context_for(sop_class, transfer_syntax)
        try:
            return association.store(context, sop_class, uid, [content])
        finally:
            association.release()

    def files(self) -> list[Path]:
        """What lies in the spool; an association's file is there until it has ended."""
        return [path for path in (self.spool.directory / "files").glob("*/*") if path.is_file()]

    def instances(self, uid: str = "1.2.3.4", count: int = 1):
        """What the ledger knows of an instance that was answered with Success, once it does."""
        deadline = time.monotonic() + 20
        while len(found := self.ledger.where(uid).instances) < count:
            assert time.monotonic() < deadline, "the ledger does not know it"
            time.sleep(0.01)
        return found

    def tasks(self, count: int = 1):
        """So many deliveries to `pacs`, once they are there."""
        deadline = time.monotonic() + 20
        found = list(self.ledger.claim("pacs", count))
        while len(found) < count:
            assert time.monotonic() < deadline, f"there are {len(found)} of {count}"
            time.sleep(0.01)
            found += self.ledger.claim("pacs", count - len(found))
        return found

    def destinations(self, uid: str = "1.2.3.4") -> list[str]:
        [instance] = self.instances(uid)
        return [delivery.destination for delivery in instance.deliveries]

    def refusals(self) -> list[tuple[int, str]]:
        return [(group.status, group.reason) for group in self.ledger.summary().refusals]
