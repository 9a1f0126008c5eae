"""Text that is burned into pixels or drawn in documents never leaves without a rule."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from router.plugins.deidentify import Deidentify

from router import Hold
from router.testing import make_instance
from tests.plugins.deidentify.making import SECRET, deidentified, leaving
from tests.routing.helpers import read_config

ULTRASOUND, CAPTURE = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.7"
CT = "1.2.840.10008.5.1.4.1.1.2"


class Any:
    def matches(self, _instance: object) -> bool:
        return True


def image(sop_class: str = CT, **more: object) -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.PatientID = sop_class, "1.2.3.4", "P-77123"
    made.Rows = made.Columns = 8
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.add_new(0x7FE00010, "OB", bytes([200] * 64))
    for keyword, value in more.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (image(ULTRASOUND), "an ultrasound image"),
        (image("1.2.840.10008.5.1.4.1.1.3.1"), "an ultrasound image"),
        (image("1.2.840.10008.5.1.4.1.1.6"), "an ultrasound image"),
        (image("1.2.99", Modality="US"), "an ultrasound image"),
        (image(CAPTURE), "a secondary capture image"),
        (image("1.2.840.10008.5.1.4.1.1.7.4"), "a secondary capture image"),
        (image("1.2.99", ConversionType="WSD"), "a secondary capture image"),
        (image("1.2.840.10008.5.1.4.1.1.77.1.4"), "a visible light image"),
        (image("1.2.840.10008.5.1.4.1.1.77.1.1.1"), "a visible light image"),
        (image(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), "a screen save"),
        (
            image("1.2.840.10008.5.1.4.1.1.77.1.6", ImageType=["ORIGINAL", "PRIMARY", "LABEL"]),
            "a label or overview of a slide",
        ),
        (
            image("1.2.840.10008.5.1.4.1.1.77.1.6", ImageType=["DERIVED", "PRIMARY", "OVERVIEW"]),
            "a label or overview of a slide",
        ),
        (image(BurnedInAnnotation="YES"), "an image that says text is burned in"),
    ],
)
def test_what_may_have_text_burned_in_is_held_without_a_rule(tmp_path, made, told):
    with pytest.raises(Hold, match=f"it is {told}, in which text may be burned in, and no rule"):
        deidentified(made, tmp_path)
    left = leaving(deidentified(made, tmp_path, pixels=[{"when": Any(), "blank": []}]))
    assert left.BurnedInAnnotation == "NO"
    codes = [item.CodeValue for item in left.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101"]


@pytest.mark.parametrize(
    "made",
    [
        image(),
        image(BurnedInAnnotation="NO"),
        image("1.2.840.10008.5.1.4.1.1.77.1.6", ImageType=["ORIGINAL", "PRIMARY", "VOLUME"]),
    ],
)
def test_other_images_need_no_rule(tmp_path, made):
    left = leaving(deidentified(made, tmp_path))
    assert left.PixelData == made.PixelData
    assert [item.CodeValue for item in left.DeidentificationMethodCodeSequence] == ["113100"]


def test_an_overlay_in_unused_bits_of_the_pixels_is_held(tmp_path):
    made = image()
    made.add_new(0x60000102, "US", 12)
    with pytest.raises(Hold, match="overlay 6000 is in unused bits of the pixels"):
        deidentified(made, tmp_path)


def test_a_document_is_held_without_a_rule_and_kept_or_replaced_with_one(tmp_path):
    made = Dataset()
    made.SOPClassUID, made.PatientID = "1.2.840.10008.5.1.4.1.1.104.1", "P-77123"
    made.EncapsulatedDocument = b"%PDF-1.4 of somebody"
    with pytest.raises(Hold, match="an encapsulated document, which no rule says"):
        deidentified(made, tmp_path)
    for word, expected in (("keep", made.EncapsulatedDocument), ("replace", b"\0\0")):
        rules = [{"when": Any(), "document": word}]
        assert leaving(deidentified(made, tmp_path, pixels=rules)).EncapsulatedDocument == expected


def test_the_first_rule_that_applies_blanks_its_rectangles(tmp_path):
    rules = """
plugins:
  deid:
    use: deidentify
    options:
      secret: a secret of more than sixteen bytes
      options: [clean_pixel_data]
      pixels:
        - when: {Modality: US, Manufacturer: "ACME*", Rows: 9}
          blank: [[0, 0, 8, 8]]
        - when: {Modality: US, Manufacturer: "ACME*", ManufacturerModelName: X1, Rows: 8}
          blank: [[0, 0, 8, 2], [6, 7, 100, 1]]
        - when: {Modality: US}
          blank: []
routes: [{name: r, chain: [deid], to: [pacs]}]
"""
    from router.routing.spec import chain_spec

    config = read_config(tmp_path, rules)
    spec = chain_spec(config.routes[0].chain, config).links[0].plugin
    plugin = Deidentify(*spec.arguments, **spec.named)
    made = image(ULTRASOUND, Modality="US", Manufacturer="Acme Inc", ManufacturerModelName="X1")
    instance = make_instance(made, tmp_path)
    plugin.rewrite_instance(instance)
    instance.seal()
    pixels = leaving(instance).pixel_array
    assert not pixels[:2].any()
    assert pixels[2:7].all()
    assert list(pixels[7]) == [200] * 6 + [0, 0]


def test_a_rectangle_beside_the_image_is_held(tmp_path):
    rule = {"when": Any(), "blank": [(8, 0, 4, 4)]}
    with pytest.raises(Hold, match=r"\[8, 0, 4, 4\] is outside of the image \(8 x 8\)"):
        deidentified(image(ULTRASOUND), tmp_path, pixels=[rule])


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_rle_2frame.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "JPEG2000.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "ExplVR_BigEnd.dcm",
    ],
)
def test_compressed_pixels_are_blanked_as_well(tmp_path, name):
    made = pydicom.dcmread(get_testdata_file(name))
    syntax = str(made.file_meta.TransferSyntaxUID)
    plugin = Deidentify(SECRET, pixels=[{"when": Any(), "blank": [(0, 0, 5, 3)]}])
    instance = _as_received(made, tmp_path, syntax)
    plugin.rewrite_instance(instance)
    instance.seal()
    frames = list(instance.frames())
    assert frames
    lowest = min(frame[:3, :5].min() for frame in frames)
    assert all((frame[:3, :5] == lowest).all() or frame.ndim == 3 for frame in frames)
    assert any(frame[3:].any() for frame in frames)


def _as_received(made: Dataset, folder, syntax: str):
    return make_instance(made, folder, transfer_syntax=syntax)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("[{blank: []}]", "rule 1 for pixels needs `when`"),
        ("[{when: {Modality: US}}]", "rule 1 for pixels needs `blank`"),
        ("[{when: {Modality: US}, blank: [[0, 0, 0, 5]]}]", "is no rectangle"),
        ("[{when: {Modality: US}, blank: [[0, 0, 5]]}]", "wants 4 values, got 3"),
        ("[{when: {Modality: US}, erase: []}]", "wants one of when, blank, document"),
        ("[{when: {Modalty: US}, blank: []}]", "did you mean Modality"),
    ],
)
def test_mistakes_in_rules_are_found_where_they_stand(tmp_path, rules, told):
    from router.config import ConfigError

    text = f"""
plugins:
  deid:
    use: deidentify
    options:
      secret: a secret of more than sixteen bytes
      pixels: {rules}
routes: [{{name: r, chain: [deid], to: [pacs]}}]
"""
    with pytest.raises(ConfigError, match=told):
        read_config(tmp_path, text)
