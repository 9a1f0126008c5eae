"""What a mistake in a shipped plugin's options is told as, and where."""

import pytest

from router.config import ConfigError, load
from router.routing import check_chains, check_plugin, known_plugins
from tests.routing.helpers import write_config

KEY = "secret: 0123456789abcdef"


@pytest.mark.parametrize(
    ("step", "column", "mistake"),
    [
        ("default: {InstitutioName: X}", 19, "default.InstitutioName: InstitutioName is not a "
         "DICOM keyword; did you mean InstitutionName?"),
        ('default: {InstitutionName: ""}', 9, "default: InstitutionName: nothing is no default"),
        ("default: {StudyDate: today}", 9, "default: StudyDate does not take 'today' (VR DA)"),
        ("copy: {StudyID: PatientI}", 25, "copy.StudyID: PatientI is not a DICOM keyword; "
         "did you mean PatientID?"),
        ("copy: {ReferencedImageSequence: PatientID}", 9, "copy: ReferencedImageSequence has VR "
         "SQ, PatientID LO: a sequence is copied to a sequence only"),
        ("replace: {StudyID: {text: a}}", 9, "replace: StudyID wants `text` or `expression`, and "
         "`with`"),
        ('replace: {StudyID: {expression: "(", with: b}}', 9, "replace: StudyID: '(' with 'b': "
         "missing ), unterminated subpattern at position 0"),
        (r"replace: {StudyID: {expression: a, with: '\1'}}", 9, r"replace: StudyID: 'a' with "
         r"'\\1': invalid group reference 1 at position 1"),
        ("replace: {StudyID: {regex: a, with: b}}", 29, "replace.StudyID.regex: wants one of "
         "text, expression, with; got text"),
        ("replace: {StudyID: a}", 28, "replace.StudyID: wants a list or a mapping, got text"),
        ("map: {element: PatientID, file: no.csv}", 9, "map: no.csv: No such file or directory"),
        ("map: {element: PatientID, file: ids.csv, key: ID}", 9, "map: ids.csv has no column "
         "'ID'; it has id, name"),
        ("map: {element: PatientID, file: ids.csv, missing: kept}", 59, "map.missing: wants one "
         "of hold, keep; got text, did you mean 'keep'?"),
        ("map: {element: PatientID, file: ids.csv, into: StudyID, defalt: x}", 65, "map.defalt: "
         "is not an option of this plugin, did you mean 'default'?"),
        ("prefix: {PatientID: 12}", 29, "prefix.PatientID: wants text, got the number 12: "
         "quote it"),
        ("prefix: EXT-", 17, "prefix: wants a mapping, got text"),
        (f"hash: {{elements: [StudyDate], {KEY}}}", 9, "hash: StudyDate has VR DA: only text and "
         "UIDs have a hash"),
        ("hash: {elements: [PatientID], secret: short}", 9, "hash: the secret needs 16 characters "
         "at least: `openssl rand -hex 32`"),
        ("hash: {elements: [PatientID]}", 15, "hash: the option 'secret' is missing"),
        ("character_set: {to: utf8}", 25, "character_set.to: is not an option of this plugin, "
         "which takes none"),
        ("private: SIEMENS", 18, "private: wants a list, got text"),
        ("route_by: {element: StationName, key: a}", 9, "route_by: `key` and `value` are columns "
         "of a `file`"),
        ("prefx: {PatientID: X}", 9, "prefx: unknown plugin 'prefx', did you mean 'prefix'?"),
    ],
)  # fmt: skip
def test_a_mistake_says_where_and_what(tmp_path, step, column, mistake):
    (tmp_path / "ids.csv").write_text("id,name\n")
    path = write_config(
        tmp_path, f"routes:\n  - name: r\n    chain:\n      - {step}\n    to: [pacs]\n"
    )
    try:
        config = load(path, check_plugin=check_plugin, known_plugins=known_plugins())
        found = check_chains(config)
    except ConfigError as error:
        found = list(error.mistakes)
    assert [str(each) for each in found] == [f"{path}:10:{column}: routes.r.chain[0].{mistake}"]
