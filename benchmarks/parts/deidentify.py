"""De-identification of a CT object, beside the package dicom-anonymizer, on one core."""

import copy
import io
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, initialize_actions
from pydicom.data import get_testdata_file
from router.plugins.deidentify import Deidentify

from benchmarks.lab import Lab
from benchmarks.result import Result
from router.dataset import rescan
from router.instance import Instance, Source
from router.testing import make_instance

OBJECTS, TURNS = 200, 5
SECRET = "a secret of more than sixteen bytes"


def run(lab: Lab) -> list[Result]:
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm"))  # 38 KiB, 252 elements
    folder = lab.folder("objects")
    ours, theirs = _ours(image, folder), _theirs(image)
    for each in (ours, theirs):
        each()  # tables are read, codecs are loaded
    rates: dict[str, list[float]] = {"deidentify": [], "dicom-anonymizer": []}
    for _ in range(TURNS):
        rates["deidentify"].append(_rate(ours, OBJECTS))
        rates["dicom-anonymizer"].append(_rate(theirs, OBJECTS // 4))
    pairs = zip(rates["deidentify"], rates["dicom-anonymizer"], strict=True)
    what = "deidentify a CT of 38 KiB, from file to bytes that leave, on one core"
    return [
        Result(
            what,
            "-",
            "/s",
            rates["deidentify"],
            300,
            at_least=True,
            note="leak gate included",
        ),
        Result(
            what,
            "dicom-anonymizer",
            "x",
            [own / other for own, other in pairs],
            3,
            at_least=True,
            raw=rates,
            raw_unit="/s",
        ),
    ]


def _rate(work: Callable[[], object], objects: int) -> float:
    """Objects in a second of processor time, which others on the machine do not take away."""
    begun = time.process_time()
    for _ in range(objects):
        work()
    return objects / (time.process_time() - begun)


def _ours(image: pydicom.Dataset, folder: Path) -> Callable[[], object]:
    """What a worker does for a route with `deidentify`: scan, rewrite, write, verify."""
    given = make_instance(image, folder)
    (file,) = given.segments
    plugin = Deidentify(SECRET)

    def once() -> object:
        scan = rescan(file.path, file.offset, file.length, str(given.transfer_syntax))
        instance = Instance(
            Source((file,), scan),
            association=given.association,
            route=given.route,
            received=given.received,
            workspace=folder / "workspace",
        )
        plugin.rewrite_instance(instance)
        instance.seal()
        plugin.verify_instance(instance)
        return instance.segments

    return once


def _theirs(image: pydicom.Dataset) -> Callable[[], object]:
    """The same from a file in memory; it has no gate, and the later table by choice."""
    file = io.BytesIO()
    copy.deepcopy(image).save_as(file)

    def actions() -> dict:
        return initialize_actions("dicomfields_2026c")

    def once() -> object:
        file.seek(0)
        dataset = pydicom.dcmread(file)
        anonymize_dataset(dataset, base_rules_gen=actions)
        left = io.BytesIO()
        dataset.save_as(left)
        return left

    return once
