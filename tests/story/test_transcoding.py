"""An archive that takes no compressed objects, and one that wants them in JPEG-LS."""

import shutil
import subprocess

import numpy as np
import pytest

from tests.delivery.transcoded import (
    EXPLICIT,
    JPEG_LS,
    complaints,
    independent_pixels,
    open_part10,
)

from .peers import until

CONFIG = """\
spool: {{directory: ./spool, keep_free: 0}}
listeners:
  modalities: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  plain: {{ae_title: PLAIN, host: 127.0.0.1, port: {plain}}}
  small: {{ae_title: SMALL, host: 127.0.0.1, port: {small}, transfer_syntaxes: JPEGLSLossless}}
  vna: {{type: folder, directory: ./vna, path: "{{SOPInstanceUID}}.dcm"}}
routes:
  - {{name: everything, to: [plain, small, vna]}}
"""


@pytest.mark.filterwarnings("ignore")  # pydicom's, about values in real files
def test_each_gets_the_same_pixels_its_own_way(run_router, storescp, data, tmp_path):
    plain, small = storescp("PLAIN", "+x="), storescp("SMALL", "+xt")
    router = run_router(CONFIG.format(plain=plain.port, small=small.port))
    files = [data / "wg04" / name for name in ("JPLL/CT1_JPLL", "JPLL/MR4_JPLL")]
    folder = tmp_path / "sent"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    target = ["127.0.0.1", str(router.port("modalities"))]
    subprocess.run(["storescu", "-xs", "+sd", "-aec", "ROUTER", *target, folder], check=True)
    vna = router.directory / "vna"
    until(lambda: len(plain.files()) == len(small.files()) == len(list(vna.glob("*"))) == 2, "all")
    for file in files:
        uid = open_part10(file).sop_instance_uid
        pixels = independent_pixels(file, tmp_path)
        for peer, transfer_syntax in ((plain, EXPLICIT), (small, JPEG_LS)):
            [left] = [each for each in peer.files() if each.name.endswith(f".{uid}")]
            assert open_part10(left).transfer_syntax == transfer_syntax
            assert np.array_equal(independent_pixels(left, tmp_path), pixels)
            assert complaints(left) <= complaints(file)
        kept = open_part10(vna / f"{uid}.dcm")
        assert kept.transfer_syntax == open_part10(file).transfer_syntax
    assert list((router.spool / "outgoing").iterdir()) == []
    where = router.command("where", uid, check=True).stdout
    assert "sent as JPEG-LS Lossless Image Compression" in where
