"""Conditions as JSON Schema: `when`, here and in the options of plugins."""

from __future__ import annotations

from typing import Any, get_args

from pydicom.datadict import dictionary_description, dictionary_VR

from router.config.measures import ORDERED
from router.config.when import Attribute

Schema = dict[str, Any]

WHEN: Schema = {"$ref": "#/definitions/when"}
_STEP = r"([A-Za-z]\w*|\(\s*[0-9A-Fa-f]{4}\s*,.+\))"
ELEMENT_PATTERN = rf"^(\*\*\.)?{_STEP}(\.{_STEP})*$"
_ABOUT = {
    "calling_ae_title": "who sends it: exactly, with * and ?",
    "called_ae_title": "what it was sent to: exactly, with * and ?",
    "address": "where it comes from: a network in CIDR notation or an address",
    "peer": "who sends it, as one of peers",
    "listener": "where it arrived",
    "time": "when it came: 07:00-18:00",
}
# What editors offer first; every other keyword is taken as well.
_OFFERED = (
    *("Modality", "SOPClassUID", "StudyDescription", "SeriesDescription", "ProtocolName"),
    *("BodyPartExamined", "ImageType", "SliceThickness", "SeriesNumber", "PatientID"),
    *("PatientName", "PatientSex", "PatientAge", "PatientBirthDate", "AccessionNumber"),
    *("StudyDate", "InstitutionName", "InstitutionalDepartmentName", "StationName"),
    *("Manufacturer", "ManufacturerModelName", "ReferringPhysicianName", "RequestingService"),
    *("BurnedInAnnotation", "ViewPosition", "Laterality", "PresentationIntentType"),
    *("Rows", "Columns", "PhotometricInterpretation", "SpecificCharacterSet"),
)


def definitions() -> dict[str, Schema]:
    """The definitions that `WHEN` leads to."""
    offered = "|".join(("not", "all", "any", *get_args(Attribute), *_OFFERED))
    several = {"type": "array", "items": WHEN, "minItems": 1}
    when: Schema = {
        "type": "object",
        "properties": {
            "not": {"allOf": [WHEN], "description": "These conditions do not all apply."},
            "all": {"anyOf": [several, WHEN], "description": "All of these apply."},
            "any": {"anyOf": [several, WHEN], "description": "At least one of these applies."},
            **{each: _named("texts", _ABOUT[each]) for each in get_args(Attribute)},
            **{keyword: _element(keyword) for keyword in _OFFERED},
        },
        "patternProperties": {rf"^(?!({offered})$){ELEMENT_PATTERN[1:]}": _named("amounts", "")},
        "additionalProperties": False,
    }
    return {"when": when, "texts": _test("texts", "string"), "amounts": _test("amounts", "number")}


def _test(name: str, *kinds: str) -> Schema:
    """A value of that kind, several, whether there is one, or those in a file."""
    return {
        "type": [*dict.fromkeys(("string", *kinds)), "array", "object"],
        "minLength": 1,
        "items": {"$ref": f"#/definitions/{name}"},
        "minItems": 1,
        "properties": {
            "exists": {"type": "boolean", "description": "Whether there is such an element."},
            "file": {"type": "string", "description": "A CSV file: one of the values in it."},
            "column": {"type": "string", "description": "The column of the file, by its header."},
        },
        "additionalProperties": False,
        "anyOf": [{"required": ["exists"], "maxProperties": 1}, {"required": ["file", "column"]}],
    }


def _named(test: str, description: str) -> Schema:
    reference = {"$ref": f"#/definitions/{test}"}
    return {"allOf": [reference], "description": description} if description else reference


def _element(keyword: str) -> Schema:
    vr = dictionary_VR(keyword)[:2]
    kind = "amounts" if vr in ORDERED else "texts"
    return _named(kind, f"{dictionary_description(keyword)} ({vr})")
