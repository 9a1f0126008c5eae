"""Other implementations at the other end: DCMTK and stock pynetdicom, in both directions."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID
from pynetdicom import AE, evt

from router.dataset import FileRange
from router.wire import Peer, Response, connect
from tests.wire.peers import CT, EXPLICIT, IMPLICIT, VERIFICATION

NODELAY = {"on": {"TCP_NODELAY": "1"}, "off": {}}


def environment(extra: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "TCP_NODELAY"} | extra


@pytest.fixture
def instance(tmp_path: Path) -> Callable[[int, int], Path]:
    """A Part 10 file with `size` bytes of pixels."""

    def make(number: int, size: int) -> Path:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT)
        dataset.SOPClassUID = UID(CT)
        dataset.SOPInstanceUID = UID(f"1.2.3.{number}")
        dataset.PatientID = "X"
        dataset.BitsAllocated = 8
        dataset.PixelData = os.urandom(size)
        dataset["PixelData"].VR = "OB"
        path = tmp_path / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    return make


def data_set_of(path: Path) -> tuple[bytes, int]:
    """A Part 10 file's bytes, and where its data set begins."""
    raw = path.read_bytes()
    return raw, 128 + 4 + 12 + int.from_bytes(raw[140:144], "little")


@pytest.mark.parametrize("nodelay", NODELAY)
def test_storescu_stores_every_byte(dcmtk, listen, recorder, instance, nodelay):
    paths = [instance(n, size) for n, size in enumerate((2, 1000, 16370, 131060, 3 << 20))]
    port = listen().port
    subprocess.run(
        ["storescu", "-aec", "ROUTER", "127.0.0.1", str(port), *map(str, paths)],
        check=True,
        timeout=60,
        env=environment(NODELAY[nodelay]),
    )
    assert recorder.endings == ["released"]
    for path, kept in zip(paths, recorder.stores, strict=True):
        raw, offset = data_set_of(path)
        assert bytes(kept.data) == raw[offset:]
        assert kept.request.transfer_syntax == EXPLICIT


def test_echoscu_is_answered(dcmtk, listen):
    command = ["echoscu", "--repeat", "5", "127.0.0.1", str(listen().port)]
    subprocess.run(command, check=True, timeout=60)


def test_a_failure_reaches_storescu(dcmtk, listen, recorder, instance):
    recorder.response = Response(0xA700, "disk full")
    result = subprocess.run(
        ["storescu", "-v", "127.0.0.1", str(listen().port), str(instance(1, 100))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "OutOfResources" in result.stdout + result.stderr


@pytest.fixture
def storescp(dcmtk, free_port, tmp_path, wait_until) -> Iterator[Callable[..., tuple[int, Path]]]:
    running = []

    def start(nodelay: str, maximum_pdu: int) -> tuple[int, Path]:
        port = free_port()
        folder = tmp_path / f"received{port}"
        folder.mkdir()
        command = ["storescp", "--bit-preserving", "-pdu", str(maximum_pdu), "-od", str(folder)]
        process = subprocess.Popen([*command, str(port)], env=environment(NODELAY[nodelay]))
        running.append(process)

        def answers() -> bool:
            probe = subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True)
            return probe.returncode == 0

        wait_until(answers)
        return port, folder

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(("nodelay", "maximum"), [("on", 131072), ("off", 16384), ("off", 4096)])
def test_storescp_receives_every_byte(storescp, instance, nodelay, maximum):
    port, folder = storescp(nodelay, maximum)
    contexts = [(CT, [EXPLICIT]), (VERIFICATION, [IMPLICIT])]
    association = connect(Peer("127.0.0.1", port, "STORESCP", "TEST"), contexts)
    assert association.echo() == Response(0)
    for number, size in enumerate((2, 1000, 16370, 131060, 2 << 20)):
        path = instance(number, size)
        raw, offset = data_set_of(path)
        head, bulk = raw[offset : offset + 20], (offset + 20, len(raw) - offset - 20)
        response = association.store(
            association.context_for(CT, EXPLICIT),
            CT,
            f"1.2.3.{number}",
            [head, FileRange(str(path), *bulk)],
        )
        assert response == Response(0)
        received = (folder / f"CT.1.2.3.{number}").read_bytes()
        assert received.endswith(raw[offset:])
    association.release()


SIZES = {
    128: [0, 1, 2, 121, 122, 123, 244, 5000],
    16384: [0, 1, 2, 16377, 16378, 16379, 2 * 16378, 3 << 20],
    131072: [0, 1, 2, 131065, 131066, 131067, 3 << 20],
    0: [0, 1, 2, 131065, 131066, 131067, 3 << 20],
}


@pytest.mark.parametrize("maximum", SIZES)
def test_stock_pynetdicom_receives_every_size(ask, maximum):
    received = []

    def keep(event):
        received.append(event.request.DataSet.getvalue())
        return 0

    ae = AE()
    ae.maximum_pdu_size = maximum
    ae.add_supported_context(CT, IMPLICIT)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    try:
        association = ask(server.socket.getsockname()[1], [(CT, [IMPLICIT])])
        sent = [os.urandom(size) for size in SIZES[maximum]]
        for data in sent:
            association.store(1, CT, "1.2.3", [data[: len(data) // 3], data[len(data) // 3 :]])
        association.release()
    finally:
        server.shutdown()
        ae.shutdown()
    assert received == sent


@pytest.mark.parametrize("maximum", [128, 16384, 128 * 1024])
def test_every_size_arrives_at_a_listener_with_this_maximum(listen, ask, recorder, maximum):
    association = ask(listen(maximum_pdu=maximum).port)
    sizes = SIZES[maximum]
    sent = [os.urandom(size) for size in sizes]
    for data in sent:
        assert association.store(1, CT, "1.2.3", [data]) == Response(0)
    assert [bytes(kept.data) for kept in recorder.stores] == sent


def test_stock_pynetdicom_stores_echoes_and_releases(listen, recorder, instance):
    path = instance(1, 300_000)
    ae = AE("STOCK")
    ae.add_requested_context(CT, EXPLICIT)
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", listen().port, ae_title="ROUTER")
    assert association.is_established
    assert association.send_c_echo().Status == 0
    assert association.send_c_store(path).Status == 0
    association.release()
    association.join(20)
    deadline = time.monotonic() + 20
    while association.dul in threading.enumerate() and time.monotonic() < deadline:
        time.sleep(0.02)
    raw, offset = data_set_of(path)
    assert bytes(recorder.stores[0].data) == raw[offset:]
    assert recorder.requests[0].calling_ae_title == "STOCK"
