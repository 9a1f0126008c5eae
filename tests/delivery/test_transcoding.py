"""What a destination does not take is sent in another form, from a worker process."""

import os
import subprocess
import sys
import threading

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder

from router.routing import DestinationHooks, WorkerPool
from router.spool.records import HeldCopy
from router.testing import encode
from tests.routing.helpers import dataset
from tests.story.peers import StoreScp

from .site import CT, EXPLICIT, IMPLICIT, JPEG_LS, NoHooks
from .test_answers import destination, status
from .transcoded import (
    BASELINE,
    J2K,
    J2K_LOSSY,
    NEAR,
    RLE,
    complaints,
    independent_pixels,
    open_part10,
    transcode,
    written,
)

MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.2.1"


class WorkerHooks(NoHooks):
    """Destinations without a chain, and real workers to transcode in."""

    def __init__(self, site, memory=None) -> None:
        super().__init__()
        self.pool = WorkerPool(1, site.directory / "plugins", site.directory / "work", memory)
        self._hooks = DestinationHooks(self.pool, site.spool.outgoing, lambda: None)

    def convert(self, task, conversion):
        return self._hooks.convert(task, conversion)

    def clean(self, task):
        self._hooks.clean(task)

    def close(self):
        self.pool.stop()


@pytest.fixture
def hooks(site, started):
    made = WorkerHooks(site)
    started.insert(0, made)  # ends after the site
    return made


def image(frames=1, rows=64, columns=64, dtype="<u2", **elements):
    """A native CT whose pixels rise from corner to corner, differently in each frame."""
    made = dataset(**elements)
    ramp = np.add.outer(np.arange(rows), np.arange(columns))
    pixels = np.stack([(ramp * (index + 1)) % 4096 for index in range(frames)]).astype(dtype)
    made.Rows, made.Columns, made.SamplesPerPixel = rows, columns, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation = 0
    if frames > 1:
        made.NumberOfFrames = frames
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OW"
    return made


def compressed(made, transfer_syntax):
    """The image with each frame a fragment of its own."""
    frames = np.frombuffer(made.PixelData, "<u2").reshape(-1, made.Rows, made.Columns)
    streams = [
        get_encoder(transfer_syntax).encode(
            frame, rows=made.Rows, columns=made.Columns, number_of_frames=1, samples_per_pixel=1,
            bits_allocated=16, bits_stored=12, pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
        )
        for frame in frames
    ]  # fmt: skip
    made.PixelData = encapsulate(streams)
    made["PixelData"].VR, made["PixelData"].is_undefined_length = "OB", True
    return made


def queue(site, made, transfer_syntax=EXPLICIT):
    site.accept(encode(made, transfer_syntax), made, transfer_syntax, ("pacs",))
    return made.SOPInstanceUID


def queue_file(site, path, uid):
    """A file's data set, known by this UID."""
    part10 = open_part10(path)
    content = path.read_bytes()[part10.dataset_offset :]
    known = dataset(SOPInstanceUID=uid, SOPClassUID=part10.sop_class_uid)
    site.accept(content, known, part10.transfer_syntax, ("pacs",))
    return uid


class Keeper:
    """An answer to C-STORE that keeps what came."""

    def __init__(self, code=0):
        self.code, self.kept = code, []

    def __call__(self, event):
        self.kept.append((event.context.transfer_syntax, event.dataset, event.encoded_dataset()))
        return status(self.code)


def workspaces(site):
    return list(site.spool.outgoing.iterdir())


def test_as_it_came_where_the_peer_takes_it(scp, wait_until, site):
    """Nothing is asked of a worker: these hooks have none."""
    keeper = Keeper()
    peer = scp(keeper, contexts={CT: [EXPLICIT, JPEG_LS]})
    made = compressed(image(), JPEG_LS)
    pixels = made.PixelData
    site.start(destination(peer))
    uid = queue(site, made, JPEG_LS)
    wait_until(lambda: site.state(uid) == "delivered")
    [(transfer_syntax, received, _)] = keeper.kept
    assert transfer_syntax == JPEG_LS
    assert received.PixelData == pixels


@pytest.mark.filterwarnings("ignore")  # pydicom's, about values in real files
def test_dcmtk_that_takes_no_compressed_objects_gets_them_uncompressed(
    data, dcmtk, free_port, started, tmp_path, wait_until, site, hooks
):
    names = [
        *("JPLL/MR4_JPLL", "JPLY/MR4_JPLY", "JLSL/MR4_JLSL", "JLSN/MR4_JLSN"),
        *("J2KR/MR4_J2KR", "J2KI/US1_J2KI", "RLE/US1_RLE"),
    ]
    files = [data / "wg04" / name for name in names]
    files += [data / "pydicom_data" / name for name in ("HTJ2K_08_RGB.dcm", "US1_J2KR.dcm")]
    scp = StoreScp(tmp_path / "scp", free_port(), "PACS", "+x=").start()
    started.insert(0, scp)
    site.start(destination(scp), hooks)
    uids = [queue_file(site, file, open_part10(file).sop_instance_uid) for file in files]
    for uid in uids:
        wait_until(lambda uid=uid: site.state(uid) == "delivered", timeout=60)
    received = {file.name.partition(".")[2]: file for file in scp.files()}
    for uid, file in zip(uids, files, strict=True):
        left = received[uid]
        assert open_part10(left).transfer_syntax == EXPLICIT
        before, after = (independent_pixels(each, tmp_path) for each in (file, left))
        assert before is None or all(map(np.array_equal, before, after))
        assert complaints(left) <= complaints(file)
    wait_until(lambda: workspaces(site) == [])


def test_a_peer_that_takes_jpeg_ls_only_gets_it_when_the_destination_lists_it(
    scp, wait_until, site, hooks
):
    keeper = Keeper()
    peer = scp(keeper, contexts={CT: [JPEG_LS]})
    site.start(destination(peer, "transfer_syntaxes: [JPEGLSLossless]"), hooks)
    made = image(frames=3)
    for number, transfer_syntax in enumerate((EXPLICIT, IMPLICIT, RLE), 1):
        made = image(frames=3, SOPInstanceUID=f"1.2.5.{number}")
        pixels = np.frombuffer(made.PixelData, "<u2").reshape(3, 64, 64)
        if transfer_syntax == RLE:
            compressed(made, RLE)
        uid = queue(site, made, transfer_syntax)
        wait_until(lambda uid=uid: site.state(uid) == "delivered")
        received_as, received, _ = keeper.kept.pop()
        assert received_as == JPEG_LS
        received.file_meta = pydicom.dataset.FileMetaDataset()
        received.file_meta.TransferSyntaxUID = JPEG_LS
        assert np.array_equal(received.pixel_array, pixels)
        assert received.SOPInstanceUID == uid
        comment = site.trail(uid).attempts[-1].comment
        assert comment == "sent as JPEG-LS Lossless Image Compression"
    assert len(peer.opened) <= 3


def test_the_first_of_the_list_that_fits_and_is_accepted(scp, wait_until, site, hooks):
    keeper = Keeper()
    peer = scp(keeper, contexts={CT: [EXPLICIT, JPEG_LS, RLE]})
    wanted = "transfer_syntaxes: [JPEG2000Lossless, JPEGLSLossless, RLELossless]"
    site.start(destination(peer, wanted), hooks)
    beyond = image(SOPInstanceUID="1.2.5.2")
    beyond.BitsStored, beyond.HighBit = 6, 5  # and values of seven bits
    report = dataset(SOPInstanceUID="1.2.5.3")
    for made, expected in ((image(), JPEG_LS), (beyond, RLE), (report, EXPLICIT)):
        uid = queue(site, made)
        wait_until(lambda uid=uid: site.state(uid) == "delivered")
        assert keeper.kept[-1][0] == expected


def test_a_second_try_sends_the_very_same(scp, wait_until, site, hooks):
    keeper = Keeper(0xA700)
    peer = scp(keeper, contexts={CT: [EXPLICIT]})
    deliveries = site.start(destination(peer), hooks)
    uid = queue(site, compressed(image(frames=2), JPEG_LS), JPEG_LS)
    wait_until(lambda: keeper.kept)
    keeper.code = 0
    deliveries.try_now()
    wait_until(lambda: site.state(uid) == "delivered")
    first, *others = [content for _, _, content in keeper.kept]
    assert others and all(content == first for content in others)


def test_what_does_not_decode_is_held_with_the_reason_and_others_flow(
    data, scp, wait_until, site, hooks
):
    peer = scp(contexts={CT: [EXPLICIT]})
    site.start(destination(peer), hooks)
    bad = []
    for number, name in enumerate(("TC0321_encap_empty_bot", "TC0325_encap_10k_frags"), 1):
        path = data / "malformed" / "cat04_pixel_data" / f"{name}.dcm"
        bad.append(queue_file(site, path, f"1.2.4.{number}"))
    cut = compressed(image(SOPInstanceUID="1.2.5.1", PatientName="Secret^Name"), J2K)
    stream = next(pydicom.encaps.generate_frames(cut.PixelData, number_of_frames=1))
    cut.PixelData = encapsulate([stream[: len(stream) // 8 * 2]])
    cut["PixelData"].is_undefined_length = True
    huge = compressed(image(SOPInstanceUID="1.2.5.2"), JPEG_LS)
    huge.Rows = huge.Columns = 65_000  # only says so
    bad += [queue(site, cut, J2K), queue(site, huge, JPEG_LS)]
    bad.append(queue(site, image(SOPInstanceUID="1.2.5.3"), "1.2.3.4.5"))
    bad.append(queue(site, jpeg_that_aborts_gdcm("1.2.5.4"), BASELINE))
    good = queue(site, compressed(image(SOPInstanceUID="1.2.5.9"), RLE), RLE)
    wait_until(lambda: site.state(good) == "delivered", timeout=60)
    for uid in set(bad):
        wait_until(lambda uid=uid: site.state(uid) == "held", timeout=60)
        [(outcome, _, reason)] = site.attempts(uid)
        assert outcome == "held"
        assert reason.startswith("it cannot be sent as Explicit VR Little Endian")
        assert "Secret" not in reason
    assert site.deliveries.outages() == {}
    assert peer.uids == [good]
    assert workspaces(site) == []


def jpeg_that_aborts_gdcm(uid):
    made = pydicom.dcmread(pydicom.data.get_testdata_file("SC_rgb_dcmtk_+eb+cr.dcm"))
    stream = bytearray(next(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1)))
    stream[2] = 0  # of the marker after the first
    made.PixelData = encapsulate([bytes(stream)])
    made["PixelData"].is_undefined_length = True
    made.SOPInstanceUID, made.SOPClassUID = uid, CT
    return made


@pytest.mark.parametrize(
    "name",
    [
        *("wg04/JPLL/MR4_JPLL", "wg04/JPLY/MR4_JPLY", "wg04/JLSL/MR4_JLSL", "wg04/JLSN/MR4_JLSN"),
        *("wg04/J2KR/MR4_J2KR", "wg04/J2KI/MR4_J2KI", "wg04/RLE/MR4_RLE"),
        "pydicom_data/HTJ2K_08_RGB.dcm",
    ],
)
def test_a_stream_cut_short_is_no_image_with_a_grey_end(data, name, tmp_path):
    made = pydicom.dcmread(data / name)
    stream = next(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1))
    made.PixelData = encapsulate([stream[: len(stream) // 100 * 98]])
    made["PixelData"].is_undefined_length = True
    made.save_as(tmp_path / "cut")
    assert "do not decode" in transcode(tmp_path / "cut", tmp_path / "w", EXPLICIT).reason


def crash(allow):
    os.abort()


def hang(allow):
    allow(0.1)
    threading.Event().wait()


def devour(allow):
    return bytearray(1 << 40)


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (crash, "its worker process ended: SIGABRT"),
        (hang, "it did not finish within 0.1 s"),
        (devour, "MemoryError"),
    ],
)
def test_a_codec_that_crashes_hangs_or_devours_costs_one_delivery(job, reason, hooks):
    outcome = hooks.pool.run(job)
    assert isinstance(outcome, HeldCopy)
    assert reason in outcome.reason
    assert outcome.retry_after is None
    assert hooks.pool.run(list_nothing) == []


def list_nothing(allow):
    return []


def test_an_association_that_did_not_outlast_the_transcoding_is_opened_again(
    scp, wait_until, site, hooks
):
    """The peer aborts it while the worker, the only one, is busy with something else."""
    keeper = Keeper()
    peer = scp(keeper, contexts={CT: [EXPLICIT]})
    busy = threading.Thread(target=hooks.pool.run, args=[until_told(site.directory)])
    busy.start()
    site.start(destination(peer), hooks)
    uid = queue(site, compressed(image(), JPEG_LS), JPEG_LS)
    wait_until(lambda: peer.opened)
    peer.opened[0].assoc.abort()
    (site.directory / "go").touch()
    busy.join(20)
    wait_until(lambda: site.state(uid) == "delivered")
    assert len(peer.opened) == 2
    assert site.attempts(uid) == [("delivered", 0, "sent as Explicit VR Little Endian")]


class until_told:  # noqa: N801 - a function that can be pickled with what it knows
    def __init__(self, directory):
        self.file = directory / "go"

    def __call__(self, allow):
        while not self.file.exists():
            threading.Event().wait(0.02)


@pytest.mark.parametrize("target", [NEAR, J2K_LOSSY])
def test_what_is_compressed_with_loss_says_so_and_is_another_instance(target, tmp_path):
    made = image(rows=256, columns=256, ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    path = written_part10(made, tmp_path / "source")
    outcome = transcode(path, tmp_path / "work", target)
    left = pydicom.dcmread(written(outcome, tmp_path / "left"))
    assert transcode(path, tmp_path / "work", target).sop_instance_uid == left.SOPInstanceUID
    assert left.SOPInstanceUID == outcome.sop_instance_uid != made.SOPInstanceUID
    assert left.SOPInstanceUID.startswith("2.25.")
    assert left.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert left.LossyImageCompression == "01"
    assert left.LossyImageCompressionRatio > 1
    method = {NEAR: "ISO_14495_1", J2K_LOSSY: "ISO_15444_1"}[target]
    assert left.LossyImageCompressionMethod == method
    assert left.DerivationDescription
    assert left.DerivationCodeSequence[0].CodeValue == "113040"
    [source_image] = left.SourceImageSequence
    assert source_image.ReferencedSOPInstanceUID == made.SOPInstanceUID
    again = transcode(tmp_path / "left", tmp_path / "work", EXPLICIT)
    pixels = np.frombuffer(pydicom.dcmread(written(again, tmp_path / "n")).PixelData, "<u2")
    error = np.abs(pixels.astype(int) - np.frombuffer(made.PixelData, "<u2")).max()
    assert 0 < error <= (2 if target == NEAR else 4096)


def test_colours_are_described_as_they_are_encoded(data, tmp_path):
    rgb = data / "pydicom_data" / "SC_rgb_2frame.dcm"
    ybr = data / "wg04" / "J2KI" / "US1_J2KI"
    for path, target, expected in (
        (rgb, J2K, "YBR_RCT"), (rgb, J2K_LOSSY, "YBR_ICT"), (rgb, JPEG_LS, "RGB"),
        (ybr, EXPLICIT, "RGB"), (ybr, RLE, "RGB"), (ybr, J2K, "YBR_RCT"),
    ):  # fmt: skip
        left = pydicom.dcmread(written(transcode(path, tmp_path / "w", target), tmp_path / "l"))
        assert left.PhotometricInterpretation == expected
        assert left.PlanarConfiguration == 0
        if target not in (J2K_LOSSY, EXPLICIT):
            assert left["PixelData"].VR == "OB"


def test_bits_above_those_stored_are_kept_or_not_compressed(tmp_path):
    made = image()
    made.BitsStored, made.HighBit = 6, 5
    path = written_part10(made, tmp_path / "source")
    rle = written(transcode(path, tmp_path / "w", RLE), tmp_path / "rle")
    native = written(transcode(rle, tmp_path / "w", EXPLICIT), tmp_path / "native")
    assert pydicom.dcmread(native).PixelData == made.PixelData
    for target in (JPEG_LS, J2K):
        assert "more bits than are stored" in transcode(path, tmp_path / "w", target).reason


@pytest.mark.parametrize("target", [JPEG_LS, J2K])
def test_negative_values_whose_sign_goes_no_further_than_the_bits_stored(target, tmp_path):
    made = image()
    made.PixelRepresentation = 1
    values = np.arange(-2048, 2048, dtype="<i2")
    made.PixelData = (values & 0x0FFF).tobytes()
    path = written_part10(made, tmp_path / "source")
    left = written(transcode(path, tmp_path / "w", target), tmp_path / "left")
    [frame] = pydicom.dcmread(left).pixel_array.reshape(1, -1)
    assert frame.tolist() == values.tolist()


def test_subsampled_colours_leave_with_every_sample(tmp_path):
    path = pydicom.data.get_testdata_file("examples_ybr_color.dcm")
    left = pydicom.dcmread(written(transcode(path, tmp_path / "w", EXPLICIT), tmp_path / "l"))
    assert left.PhotometricInterpretation == "YBR_FULL"
    assert left.LossyImageCompression == "01"
    assert len(left.PixelData) == left.Rows * left.Columns * 3 * left.NumberOfFrames


def test_frames_are_found_by_their_offsets(tmp_path, monkeypatch):
    made = image(frames=5)
    path = written_part10(made, tmp_path / "source")
    left = pydicom.dcmread(written(transcode(path, tmp_path / "w", RLE), tmp_path / "left"))
    offsets = pydicom.encaps.parse_basic_offsets(left.PixelData)
    starts, at = [], 0
    for frame in pydicom.encaps.generate_frames(left.PixelData, number_of_frames=5):
        starts.append(at)
        at += 8 + len(frame)
    assert offsets == starts
    monkeypatch.setattr("router.delivery.encapsulating._LONGEST_OFFSET", starts[-1] - 1)
    left = pydicom.dcmread(written(transcode(path, tmp_path / "w", RLE), tmp_path / "left"))
    assert pydicom.encaps.parse_basic_offsets(left.PixelData) == []
    assert np.frombuffer(left.ExtendedOffsetTable, "<u8").tolist() == starts
    back = transcode(tmp_path / "left", tmp_path / "w", EXPLICIT)
    native = pydicom.dcmread(written(back, tmp_path / "back"))
    assert native.PixelData == made.PixelData
    assert "ExtendedOffsetTable" not in native


def test_a_compressed_icon_is_decompressed_with_the_rest(tmp_path):
    icon = compressed(image(rows=32, columns=32), JPEG_LS)
    made = compressed(image(IconImageSequence=[icon]), JPEG_LS)
    path = written_part10(made, tmp_path / "source", JPEG_LS)
    for target in (EXPLICIT, RLE, IMPLICIT):
        left = pydicom.dcmread(written(transcode(path, tmp_path / "w", target), tmp_path / "left"))
        [leaving] = left.IconImageSequence
        assert leaving.PixelData == image(rows=32, columns=32).PixelData
        assert leaving["PixelData"].VR == "OW"


def written_part10(made, path, transfer_syntax=EXPLICIT):
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = transfer_syntax
    made.save_as(path, enforce_file_format=True)
    return path


MEASURED = """\
import resource, sys
from pathlib import Path
from tests.delivery.transcoded import transcode
small, large, workspace, target = map(str, sys.argv[1:])
transcode(Path(small), Path(workspace), target)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert transcode(Path(large), Path(workspace), target).segments
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(("came", "target"), [(EXPLICIT, JPEG_LS), (RLE, EXPLICIT)])
def test_500_frames_need_no_more_memory_than_a_few(came, target, tmp_path):
    paths = []
    for frames in (2, 500):
        made = image(frames=frames, rows=256, columns=256)  # 64 MB
        made = compressed(made, came) if came != EXPLICIT else made
        paths.append(written_part10(made, tmp_path / str(frames), came))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *paths, tmp_path / "work", target],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 16 * 1024  # KiB
