"""The peer: a stock pynetdicom storage SCP that writes the raw bytes. PORT FOLDER."""

import sys
import uuid
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification


def main(port: str, folder: str) -> None:
    def store(event: evt.Event) -> int:
        Path(folder, uuid.uuid4().hex).write_bytes(event.encoded_dataset())
        return 0x0000

    entity = AE("PYNETDICOM")
    entity.supported_contexts = AllStoragePresentationContexts
    entity.add_supported_context(Verification)
    entity.start_server(("127.0.0.1", int(port)), evt_handlers=[(evt.EVT_C_STORE, store)])


if __name__ == "__main__":
    main(*sys.argv[1:])
