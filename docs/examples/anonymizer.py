"""An anonymizer that lets through only what it knows: an allow list instead of a profile.

plugins:
  anonymizer:
    use: anonymizer.py:Anonymizer
    options: {secret: !file research.key, keep: [StudyDescription]}

The shipped `deidentify` follows PS3.15; this shows how little a site's own needs. What is not on
the list goes, at every depth, private elements and overlays included. UIDs and the Patient ID
become others, the same for the same secret.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from pydicom.datadict import tag_for_keyword
from pydicom.tag import Tag

from router import Hold, Instance, hookimpl

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

KEPT = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID",
    "SeriesInstanceUID", "Modality", "Manufacturer", "ManufacturerModelName", "PatientID",
    "PatientSex", "FrameOfReferenceUID", "SeriesNumber", "InstanceNumber", "AcquisitionNumber",
    "BodyPartExamined", "Laterality", "PatientPosition", "PatientOrientation", "SliceThickness",
    "SpacingBetweenSlices", "SliceLocation", "ImagePositionPatient", "ImageOrientationPatient",
    "KVP", "ExposureTime", "XRayTubeCurrent", "ConvolutionKernel", "RepetitionTime", "EchoTime",
    "FlipAngle", "MagneticFieldStrength", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "WindowCenter", "WindowWidth",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "ReferencedImageSequence", "ReferencedSOPClassUID",
    "ReferencedSOPInstanceUID", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)  # fmt: skip
EMPTY = ("PatientName", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber", "StudyID",
         "ReferringPhysicianName")  # type 2 in the patient and general study modules  # fmt: skip
WITH_TEXT_IN_PIXELS = ("US", "SC", "OT", "ES", "XC", "DOC", "SR")
STANDARD = "1.2.840.10008."  # UIDs that name no patient's things


class Anonymizer:
    def __init__(self, secret: str, keep: list[str] | None = None) -> None:
        if len(secret) < 16:
            raise ValueError("secret: at least 16 characters, such as `openssl rand -hex 32` makes")
        unknown = [keyword for keyword in keep or () if tag_for_keyword(keyword) is None]
        if unknown:
            raise ValueError(f"keep: {', '.join(unknown)} is no DICOM keyword")
        self._secret = secret.encode()
        self._kept = {Tag(keyword) for keyword in (*KEPT, *(keep or ()))}

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        dataset = instance.dataset
        if dataset.get("BurnedInAnnotation") == "YES" or dataset.Modality in WITH_TEXT_IN_PIXELS:
            raise Hold("names may be burned into its pixels")
        patient_id = str(dataset.get("PatientID") or "")
        if not patient_id:
            raise Hold("without a Patient ID it would be nobody's")
        self._strip(dataset)
        for keyword in EMPTY:
            setattr(dataset, keyword, None)
        dataset.PatientID = self._hash("patient", patient_id)[:16].upper()
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = "Allow list"

    @hookimpl
    def verify_instance(self, instance: Instance) -> None:
        """After the plugins that follow, too."""
        before = instance.original
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SOPInstanceUID"):
            value = before.get(keyword)
            if value and instance.dataset.get(keyword) == value:
                raise Hold(f"{keyword} is still what it was")

    def _strip(self, dataset: Dataset) -> None:
        for element in list(dataset):
            if element.tag not in self._kept:
                del dataset[element.tag]
            elif element.VR == "SQ":
                for item in element.value:
                    self._strip(item)
            elif element.VR == "UI":
                element.value = self._surrogate(element.value)

    def _surrogate(self, value: object) -> object:
        """A UID of its own under 2.25 (PS3.5 B.2), the same wherever it occurs."""
        if not isinstance(value, str):
            return [self._surrogate(each) for each in value] if isinstance(value, list) else value
        if not value or value.startswith(STANDARD):
            return value
        return f"2.25.{int(self._hash('uid', value)[:32], 16)}"

    def _hash(self, kind: str, value: str) -> str:
        return hmac.new(self._secret, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()
