"""What a local index knows of one instance, sorted into the levels of query and retrieve."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from router.dataset import Attributes, attributes, open_part10, parse_path, rescan

if TYPE_CHECKING:
    from pathlib import Path

    from router.dataset import Scan

LONGEST = 16 * 1024  # bytes of one attribute; of longer ones, such as functional groups, none

# Attributes of the Patient module (PS3.3 C.7.1.1).
_PATIENT = """
PatientName PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence TypeOfPatientID
PatientBirthDate PatientBirthTime PatientBirthDateInAlternativeCalendar PatientSex
QualityControlSubject OtherPatientIDs OtherPatientIDsSequence OtherPatientNames PatientBirthName
PatientMotherBirthName EthnicGroup PatientComments PatientSpeciesDescription
PatientSpeciesCodeSequence PatientBreedDescription PatientBreedCodeSequence ResponsiblePerson
ResponsiblePersonRole ResponsibleOrganization PatientIdentityRemoved DeidentificationMethod
"""
# General Study and Patient Study (PS3.3 C.7.2.1, C.7.2.2).
_STUDY = """
StudyInstanceUID StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence StudyID
StudyDescription ReferringPhysicianName ReferringPhysicianIdentificationSequence
ConsultingPhysicianName PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence
NameOfPhysiciansReadingStudy ReferencedStudySequence ProcedureCodeSequence
ReasonForPerformedProcedureCodeSequence RequestingService AdmissionID ServiceEpisodeID
AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence PatientAge PatientSize PatientWeight
MedicalAlerts Allergies SmokingStatus PregnancyStatus LastMenstrualDate PatientState Occupation
AdditionalPatientHistory PatientSexNeutered TimezoneOffsetFromUTC
"""
# General Series, Frame of Reference and General Equipment (PS3.3 C.7.3.1, C.7.4.1, C.7.5.1).
_SERIES = """
SeriesInstanceUID Modality SeriesNumber SeriesDate SeriesTime SeriesDescription
SeriesDescriptionCodeSequence Laterality BodyPartExamined PatientPosition ProtocolName
PerformingPhysicianName OperatorsName RequestAttributesSequence PerformedProcedureStepID
PerformedProcedureStepDescription PerformedProcedureStepStartDate PerformedProcedureStepStartTime
PerformedProcedureStepEndDate PerformedProcedureStepEndTime PerformedProtocolCodeSequence
ReferencedPerformedProcedureStepSequence FrameOfReferenceUID PositionReferenceIndicator
Manufacturer ManufacturerModelName InstitutionName InstitutionAddress InstitutionalDepartmentName
StationName DeviceSerialNumber SoftwareVersions
"""


@cache
def tags_of(level: str) -> frozenset[str]:
    """The tags ("00100020") that belong to PATIENT, STUDY or SERIES; all others are an image's."""
    words = {"PATIENT": _PATIENT, "STUDY": _STUDY, "SERIES": _SERIES}[level]
    return frozenset(f"{parse_path(word).steps[0].tag:08X}" for word in words.split())


@dataclass(frozen=True)
class Entry:
    """One instance: where its file is, and its attributes by level, in JSON. `study` has those of
    the patient as well.
    """

    path: bytes  # below the folder
    changed: int  # of the file, in nanoseconds
    sop_instance_uid: str
    transfer_syntax: str
    values: Attributes
    study: str
    series: str
    image: str

    def text(self, tag: str) -> str:
        """The first value of an attribute."""
        _, texts = self.values.get(tag, ("", []))
        return str(texts[0]) if texts else ""


def entry_of(
    scan: Scan, path: bytes, changed: int, sop_instance_uid: str, transfer_syntax: str
) -> Entry:
    """What is to be known of a data set; ValueError without the UIDs it is found by."""
    values = attributes(scan, LONGEST)
    above = tags_of("PATIENT") | tags_of("STUDY")
    series = tags_of("SERIES")
    levels: tuple[Attributes, Attributes, Attributes] = {}, {}, {}
    for tag, value in values.items():
        levels[0 if tag in above else 1 if tag in series else 2][tag] = value
    texts = (json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in levels)
    entry = Entry(path, changed, sop_instance_uid, transfer_syntax, values, *texts)
    if not (sop_instance_uid and entry.text("0020000D") and entry.text("0020000E")):
        raise ValueError("it has no Study, Series or SOP Instance UID")
    return entry


def read_entry(directory: Path, path: bytes) -> Entry:
    """That of a file; ValueError where it is no DICOM file to be found, OSError if unreadable."""
    file = os.fsdecode(os.path.join(os.fsencode(directory), path))
    changed = os.stat(file).st_mtime_ns
    part10 = open_part10(file)
    scan = rescan(file, part10.dataset_offset, part10.length, part10.transfer_syntax)
    if scan.problem is not None:
        raise ValueError(f"it cannot be read to its end: {scan.problem.reason}")
    return entry_of(scan, path, changed, part10.sop_instance_uid, part10.transfer_syntax)


def decoded(*texts: str) -> Attributes:
    """Attributes of several levels as one."""
    found: Attributes = {}
    for text in texts:
        found |= json.loads(text)
    return found
