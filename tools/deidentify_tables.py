"""Makes the tables of plugins/deidentify: `python tools/deidentify_tables.py DATA HIGHDICOM`.

DATA holds `confidentiality_profile_attributes.json` (innolitics/dicom-standard, MIT: PS3.15 Table
E.1-1 with its option columns) and `TCIAPrivateTagKB-*.csv` (MIC-DKFZ/miccai2024_midi-b-submission,
Apache-2.0). dicom-anonymizer (BSD-3-Clause, installed) has the Basic Profile of a later edition,
and HIGHDICOM is an unpacked highdicom wheel (MIT), which has the IODs with their types.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import sys
from collections import defaultdict
from datetime import date
from pathlib import Path

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c
from pydicom.datadict import dictionary_description, keyword_for_tag
from pydicom.sr._cid_dict import cid_concepts, name_for_cid
from pydicom.sr._concepts_dict import concepts
from pydicom.uid import UID_dictionary

FOLDER = Path(__file__).resolve().parent.parent / "plugins" / "deidentify"
OPTIONS = {
    "rtnUIDsOpt": "retain_uids",
    "rtnDevIdOpt": "retain_device_identity",
    "rtnInstIdOpt": "retain_institution_identity",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "rtnLongFullDatesOpt": "retain_longitudinal_full_dates",
    "rtnLongModifDatesOpt": "retain_longitudinal_modified_dates",
    "rtnSafePrivOpt": "retain_safe_private",
    "cleanDescOpt": "clean_descriptors",
    "cleanStructContOpt": "clean_structured_content",
    "cleanGraphOpt": "clean_graphics",
}
LATER = {
    "D_TAGS": "D",
    "Z_TAGS": "Z",
    "X_TAGS": "X",
    "U_TAGS": "U",
    "Z_D_TAGS": "Z/D",
    "X_Z_TAGS": "X/Z",
    "X_D_TAGS": "X/D",
    "X_Z_D_TAGS": "X/Z/D",
    "X_Z_U_STAR_TAGS": "X/Z/U*",
}
# Rows that only the later edition has. Its option columns are in neither source; these follow from
# the rows they replace or stand beside, and for all others the Basic Profile's action stands.
_DATES = {"rtnLongFullDatesOpt": "K", "rtnLongModifDatesOpt": "C"}
LATER_OPTIONS = {
    0x0040A034: _DATES,  # Effective Start DateTime
    0x0040A035: _DATES,  # Effective Stop DateTime
    0x00181010: {"rtnDevIdOpt": "K"},  # Secondary Capture Device ID
    0x00181011: {"rtnDevIdOpt": "K"},  # Hardcopy Creation Device ID
    0x003A0020: {"cleanDescOpt": "C"},  # Multiplex Group Label
    0x003A0203: {"cleanDescOpt": "C"},  # Channel Label
    0x003A020C: {"cleanDescOpt": "C"},  # Channel Derivation Description
    0x00400556: {"cleanDescOpt": "C"},  # Acquisition Context Description
    0x300A0054: {"rtnUIDsOpt": "K"},  # Table Top Position Alignment UID
}
LATER_NAMES = {
    0x0040B03B: "Montage Name",
    0x0040B03F: "Montage Channel Label",
    0x00100011: "Person Names to Use Sequence",
    0x00100012: "Name to Use",
    0x00100013: "Name to Use Comment",
    0x00100014: "Third Person Pronouns Sequence",
    0x00100015: "Pronoun Code Sequence",
    0x00100016: "Pronoun Comment",
    0x00100041: "Gender Identity Sequence",
    0x00100042: "Sex Parameters for Clinical Use Category Comment",
    0x00102162: "Ethnic Groups",
    0x0040A034: "Effective Start DateTime",
    0x0040A035: "Effective Stop DateTime",
}
CONTEXTS = re.compile(
    "Anatom|Region|Laterality|View|Bone|Organ|Vessel|Arter|Vein|Heart|Tissue|Joint|Modality|"
    "Acquisition|Contrast|Reconstruct|ImagingTechnique|Abstract|Breast|Plane|Orientation|Segment"
)
IMAGING = """
abd abdomen abu adc admin and angio anonymised anonymized anonymous ap arms arterial ax axial axl
b0 becken bh bin bold bone brain brust bws cap cardiac chest cine clinic contrast cor coronal
cspine ct cta cxr das de del delay delayed den department dept der des di diff diffusion doctor
dos dose dsa dti dual dwi dyn dynamic ecg echo eeg el ep epi fast fat fatsat fb feet ff fisp flair
flash fov fse gadolinium gated gd ge gre hals haste head hip hospital hr hrct hws iac ibn ii iii
in ing inspiration ir iso isotropic iv ivim jr kernel kidney knee knie kopf ky la las lat late
lateral lava le left liver ll localiser localizer los low lspine lt lung lws map maps max mb mdct
mean med mediastinum min minip mip mit mlo mm mpr mprage mr mra mrcp mri mrs mrv ms mta mv nat
nativ native neck nm no non none nurse obl oblique ohne operator opp opposed out pa pc pd pelvis
perf perfusion pet ph phantom phase phd physician pilot plain post pre prof proj prone prospective
protocol qa radiographer radiologist radiology ray rays recon retro retrospective right roi rt sag
sagittal san scan schaedel scout screen se secondary sequence series service short shoulder slice
smartprep soft space spair spgr spin spine spir spiral sr ssfse staff standard std stir study sub
subtraction supine survey surview swi system t1 t1w t2 t2w tech technician technologist tera test
tfe the thick thin thorax thrive tile time tof topo topogram tra trace trans transverse trufi tse
tspine turbo und unknown upper us user van vein venous vibe vol volume von vr vrt wb whole window
with without wo wrist xa xr year zu zur
""".split()  # noqa: SIM905


def load(path: Path) -> dict[str, dict]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def profile(data: Path) -> list[dict[str, str]]:
    """A row for each attribute; of repeating groups and private ones with x for any digit."""
    rows = {}
    for row in json.loads((data / "confidentiality_profile_attributes.json").read_text()):
        tag = row["id"] if len(row["id"]) == 8 else "private"
        rows[tag] = {"tag": tag, "name": row["name"], "basic": row["basicProfile"]} | {
            name: row.get(column, "") for column, name in OPTIONS.items()
        }
    for kind, action in LATER.items():
        for group, element, *mask in getattr(dicomfields_2026c, kind):
            tag = group << 16 | element
            if mask or f"{tag:08x}" in rows:
                continue
            given = LATER_OPTIONS.get(tag, {})
            try:
                name = dictionary_description(tag)
            except KeyError:
                name = LATER_NAMES.get(tag, "")
            rows[f"{tag:08x}"] = {"tag": f"{tag:08x}", "name": name, "basic": action} | {
                option: given.get(column, "") for column, option in OPTIONS.items()
            }
    return sorted(rows.values(), key=lambda row: row["tag"])


def iods(rows: list[dict[str, str]], highdicom: Path) -> list[dict[str, str]]:
    """For each SOP class the actions that rows of several leave open, in the rows' order."""
    modules = load(highdicom / "_modules.py")["MODULE_ATTRIBUTE_MAP"]
    described = load(highdicom / "_iods.py")
    open_rows = [row for row in rows if "/" in row["basic"]]
    made = []
    for uid, iod in sorted(described["SOP_CLASS_UID_IOD_KEY_MAP"].items()):
        types: dict[str, set[str]] = defaultdict(set)
        for module in described["IOD_MODULE_MAP"][iod]:
            for attribute in modules.get(module["key"], ()):
                if not attribute["path"]:
                    types[attribute["keyword"]].add(attribute["type"])
        chosen = [
            choose(row["basic"], types[keyword_for_tag(int(row["tag"], 16))]) for row in open_rows
        ]
        made.append({"sop_class": uid, "actions": "".join(chosen)})
    return made


def choose(action: str, types: set[str]) -> str:
    """The first action that the attribute's type in the IOD allows; conditions may hold.

    References are replaced and never removed: what Common Instance Reference lists has to be
    referenced (PS3.3 C.12.2).
    """
    choices = action.split("/")
    if choices[-1] == "U*":
        return "U"
    if types & {"1", "1C"}:
        return choices[-1]
    if types & {"2", "2C"} and "Z" in choices:
        return "Z"
    return choices[0] if not types & {"2", "2C"} else choices[-1]


PATTERN = re.compile(r'^\(([0-9a-f]{4}),"*([^"\[\]<>]+?)"*,([0-9a-f]{2})\)$')


def safe_private(data: Path) -> list[dict[str, str]]:
    """Elements that are kept wherever the knowledge base has them."""
    (source,) = data.glob("TCIAPrivateTagKB-*.csv")
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    with source.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            pattern = re.sub(r'""|"(?=,)', "", row["element_sig_pattern"]).strip()
            if match := PATTERN.match(pattern[pattern.rfind("](") + 1 :]):
                # Items cannot be looked into where no VR tells that they are there.
                told = "" if row["vr"].strip() == "SQ" else row["private_disposition"] or ""
                found[match.groups()].add(told.strip().lower())
    return [
        {"group": group, "creator": creator, "element": element}
        for (group, creator, element), told in sorted(found.items())
        if told == {"k"}
    ]


def words() -> list[str]:
    """What DICOM itself calls things: elements, anatomy, views, techniques."""
    texts = [entry[0] for entry in UID_dictionary.values()]
    texts += [dictionary_description(tag) for tag in dictionary_tags()]
    for cid, name in name_for_cid.items():
        if CONTEXTS.search(name):
            for scheme, keywords in cid_concepts[cid].items():
                for keyword in keywords:
                    texts += [meaning for meaning, _ in concepts[scheme][keyword].values()]
    found = {word.lower() for text in texts for word in re.findall(r"[A-Za-z]{2,}", text)}
    return sorted(found | set(IMAGING))


TERMS = """
scoord scoord3d tcoord num pname uidref composite waveform obs mod inferred selected separate
continuous verified unverified partial yes
""".split()  # noqa: SIM905


def terms(ordinary: list[str]) -> list[str]:
    """The other words of all codes of PS3.16 that pydicom has."""
    meanings = [
        meaning
        for scheme in concepts.values()
        for codes in scheme.values()
        for meaning, _ in codes.values()
    ]
    found = {word.lower() for text in meanings for word in re.findall(r"[A-Za-z]{2,}", text)}
    return sorted((found | set(TERMS)) - set(ordinary))


def dictionary_tags() -> list[int]:
    from pydicom._dicom_dict import DicomDictionary

    return list(DicomDictionary)


def write(name: str, rows: list[dict[str, str]], source: str) -> None:
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {source}; {date.today()}, tools/deidentify_tables.py\n")
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(data: Path, highdicom: Path) -> None:
    rows = profile(data)
    write(
        "profile.csv",
        rows,
        "PS3.15 Table E.1-1: innolitics/dicom-standard 2025-01, rows of 2026c by dicom-anonymizer",
    )
    write("iods.csv", iods(rows, highdicom), "PS3.3 types of open rows: highdicom 0.23.1")
    write(
        "safe_private.csv", safe_private(data), "TCIA private tag knowledge base 2024-02-01, kept"
    )
    ordinary = words()
    (FOLDER / "words.txt").write_text("\n".join(ordinary) + "\n")
    (FOLDER / "terms.txt").write_text("\n".join(terms(ordinary)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
