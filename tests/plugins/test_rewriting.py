"""What the shipped rewrites make of single elements."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.dataset import read_segments
from router.instance import Destination
from router.routing.build import Plugins
from router.routing.run import run_chain, run_outgoing
from router.routing.spec import worker_specs
from router.spool import Spool
from router.spool.records import HeldCopy, Processed
from router.testing import make_instance
from tests.plugins.running import leaving, run
from tests.routing.helpers import Router, dataset, read_config


def item(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("step", "keyword", "expected"),
    [
        ("default: {InstitutionName: Clinic}", "InstitutionName", "Clinic"),
        ("default: {AccessionNumber: X}", "AccessionNumber", "A1"),
        ('default: {StudyID: "S-{PatientID}"}', "StudyID", "S-0077"),
        ("default: {StationName: CT7}", "StationName", "CT7"),
        ("default: {Rows: 512}", "Rows", 512),
        ("copy: {StudyID: AccessionNumber}", "StudyID", "A1"),
        ("copy: {PatientComments: PatientName}", "PatientComments", "Doe^Jane"),
        ("copy: {AccessionNumber: StudyID}", "AccessionNumber", "A1"),
        ("copy: {SeriesNumber: Columns}", "SeriesNumber", 256),
        ("copy: {PatientName: PatientID, PatientID: AccessionNumber}", "PatientName", "0077"),
        ('replace: {StudyDescription: {text: CT, with: ""}}', "StudyDescription", "HEAD  native"),
        (
            'replace: {StudyDescription: {expression: "^(\\\\w+) +CT", with: "\\\\1"}}',
            "StudyDescription",
            "HEAD native",
        ),
        (
            "replace: {StudyDescription: [{text: HEAD, with: NECK}, {text: NECK, with: SKULL}]}",
            "StudyDescription",
            "SKULL CT native",
        ),
        ("replace: {ImageType: {text: PRIMARY, with: X}}", "ImageType", ["ORIGINAL", "X"]),
        ('replace: {AccessionNumber: {text: A1, with: ""}}', "AccessionNumber", ""),
        ('replace: {PatientID: {expression: "^0+", with: ""}}', "PatientID", "77"),
        ("prefix: {PatientID: EXT-}", "PatientID", "EXT-0077"),
        ('prefix: {PatientID: "{AccessionNumber}-"}', "PatientID", "A1-0077"),
        ("prefix: {ImageType: X}", "ImageType", ["XORIGINAL", "XPRIMARY"]),
        ("prefix: {StationName: X}", "StationName", ""),
        ('suffix: {PatientName: "^^^Dr"}', "PatientName", "Doe^Jane^^^Dr"),
        ('suffix: {StudyDescription: " ({AccessionNumber})"}', "StudyDescription",
         "HEAD CT native (A1)"),
    ],
)  # fmt: skip
def test_a_step_gives_an_element_its_value(tmp_path, step, keyword, expected):
    made = dataset(
        PatientID="0077",
        PatientName="Doe^Jane",
        AccessionNumber="A1",
        StationName="",
        StudyDescription="HEAD CT native",
        ImageType=["ORIGINAL", "PRIMARY"],
        Columns=256,
    )
    outcome = run(tmp_path, f"[{{{step}}}]", made)
    assert isinstance(outcome, Processed), outcome
    left = made if outcome.segments is None else leaving(outcome)
    assert left.get(keyword) == expected


@pytest.mark.parametrize(
    "step",
    [
        "default: {AccessionNumber: X}",
        "copy: {AccessionNumber: StudyID}",
        "replace: {AccessionNumber: {text: Q, with: R}}",
        "prefix: {StationName: X}",
        "hash: {elements: [StationName, SOPClassUID], secret: 0123456789abcdef}",
        "private: [ACME]",
        "set: {PatientID: '0077'}",
    ],
)
def test_a_step_with_nothing_to_do_leaves_the_very_bytes(tmp_path, step):
    made = dataset(PatientID="0077", AccessionNumber="A1", StationName="")
    made.private_block(0x0029, "ACME", create=True).add_new(0x10, "LO", "a")
    outcome = run(tmp_path, f"[{{{step}}}]", made)
    assert isinstance(outcome, Processed), outcome
    assert outcome.segments is None


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ('default: {StudyID: "{PatientBirthName}"}',
         "{PatientBirthName} is missing or empty in this instance"),
        ("copy: {StudyDate: PatientName}",
         "StudyDate does not take what it is to be set to (VR DA)"),
        ("replace: {Columns: {text: '6', with: x}}",
         "Columns does not take what it is to be set to (VR US)"),
        ("prefix: {AccessionNumber: '0123456789012345'}",
         "AccessionNumber does not take what it is to be set to (VR SH)"),
        ("replace: {EncapsulatedDocument: {text: a, with: b}}",
         "EncapsulatedDocument has no text to work on (VR OB)"),
    ],
)  # fmt: skip
def test_what_cannot_be_holds_the_copy_without_telling_the_value(tmp_path, step, expected):
    made = dataset(PatientName="Doe^Jane", AccessionNumber="A1", Columns=256)
    made.EncapsulatedDocument = b"%PDF"
    outcome = run(tmp_path, f"[{{{step}}}]", made)
    assert outcome == HeldCopy(expected, step.partition(":")[0], "rewrite_instance")


def test_a_sequence_is_copied_with_its_items(tmp_path):
    made = dataset(RequestAttributesSequence=Sequence([item(ScheduledProcedureStepID="S")]))
    left = leaving(run(tmp_path, "[{copy: {ReferencedRequestSequence: RequestAttributesSequence}},"
                                 " {remove: [RequestAttributesSequence]}]", made))  # fmt: skip
    assert left.ReferencedRequestSequence[0].ScheduledProcedureStepID == "S"
    assert "RequestAttributesSequence" not in left


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ('set: {"**.PatientID": X}', ["X", None, "X"]),
        ('remove: ["**.PatientID"]', [None, None, None]),
        ('prefix: {"**.PatientID": X-}', ["X-a", None, "X-c"]),
        ('default: {"**.PatientID": X}', ["a", None, "c"]),
        ('replace: {"**.PatientID": {text: c, with: d}}', ["a", None, "d"]),
    ],
)
def test_two_stars_are_every_level_that_has_the_element(tmp_path, step, expected):
    deepest = item(PatientID="c", StudyID="1")
    middle = item(StudyID="2", RequestAttributesSequence=Sequence([deepest]))
    made = dataset(PatientID="a", ReferencedRequestSequence=Sequence([middle]))
    outcome = run(tmp_path, f"[{{{step}}}]", made)
    left = made if outcome.segments is None else leaving(outcome)  # type: ignore[union-attr]
    below = left.ReferencedRequestSequence[0]
    levels = [left, below, below.RequestAttributesSequence[0]]
    assert [level.get("PatientID") for level in levels] == expected
    assert below.StudyID == "2"


SECRET = "secret: 0123456789abcdef"


def test_hashes_fit_their_vrs_and_are_the_same_wherever_the_value_is(tmp_path):
    referred = item(ReferencedSOPInstanceUID="1.2.3.4", ReferencedSOPClassUID="1.2.840.10008.1.1")
    made = dataset(
        PatientID="0077",
        OtherPatientNames="0077",
        AccessionNumber="0077",
        StationAETitle="0077",
        ReferencedImageSequence=Sequence([referred]),
    )
    elements = (
        "PatientID, OtherPatientNames, AccessionNumber, StationAETitle, SOPInstanceUID, "
        '"**.ReferencedSOPInstanceUID", "**.ReferencedSOPClassUID"'
    )
    outcome = run(tmp_path, f"[{{hash: {{elements: [{elements}], {SECRET}}}}}]", made)
    left = leaving(outcome)
    assert left.PatientID == str(left.OtherPatientNames)
    assert (len(left.PatientID), len(left.AccessionNumber)) == (32, 16)
    assert left.PatientID.startswith(left.AccessionNumber)
    assert left.StationAETitle == left.AccessionNumber
    assert left.SOPInstanceUID.startswith("2.25.")
    assert left.SOPInstanceUID.is_valid
    assert left.ReferencedImageSequence[0].ReferencedSOPInstanceUID == left.SOPInstanceUID
    assert left.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.1.1"
    assert outcome.sop_instance_uid == left.SOPInstanceUID
    again = leaving(run(tmp_path, f"[{{hash: {{elements: [PatientID], {SECRET}}}}}]", made))
    other = SECRET.replace("0", "1")
    differs = leaving(run(tmp_path, f"[{{hash: {{elements: [PatientID], {other}}}}}]", made))
    assert again.PatientID == left.PatientID != differs.PatientID


def test_the_character_set_becomes_utf_8_at_every_level(tmp_path):
    inside = item(SpecificCharacterSet="ISO_IR 126", PatientComments="κεφαλή")
    plain = item(PatientComments="Jérôme")
    made = dataset(
        SpecificCharacterSet="ISO_IR 100",
        InstitutionName="Äskulap",
        Modality="CT",
        ReferencedRequestSequence=Sequence([inside, plain]),
    )
    outcome = run(tmp_path, "[character_set]", made)
    left = leaving(outcome)
    greek, latin = left.ReferencedRequestSequence
    assert left.SpecificCharacterSet == greek.SpecificCharacterSet == "ISO_IR 192"
    assert (left.InstitutionName, greek.PatientComments, latin.PatientComments) == (
        "Äskulap",
        "κεφαλή",
        "Jérôme",
    )
    assert left.get_item("InstitutionName").value.strip() != b""
    assert "Äskulap".encode() in b"".join(
        segment for segment in outcome.segments if isinstance(segment, bytes)
    )


@pytest.mark.parametrize(
    ("character_set", "value", "reason"),
    [
        (None, "Äskulap".encode("latin-1"), "it has text beyond ASCII and names no character set"),
        (
            "ISO_IR 192",
            "Äskulap".encode("latin-1"),
            "it has text with bytes that its character set does not have",
        ),
    ],
)
def test_text_that_cannot_be_read_for_sure_is_held(tmp_path, character_set, value, reason):
    made = dataset()
    if character_set:
        made.SpecificCharacterSet = character_set
    made.add_new("InstitutionName", "LO", value)
    outcome = run(tmp_path, "[character_set]", made)
    assert outcome == HeldCopy(reason, "character_set", "rewrite_instance")


def test_text_beyond_ascii_never_leaves_without_a_character_set(tmp_path):
    made = dataset(InstitutionName="Clinic")
    step = "{set: {InstitutionName: Äskulap}}"
    outcome = run(tmp_path, f"[{step}]", made)
    assert isinstance(outcome, HeldCopy)
    assert "names no character set: put `character_set` before this" in outcome.reason
    left = leaving(run(tmp_path, f"[character_set, {step}]", made))
    assert (left.SpecificCharacterSet, left.InstitutionName) == ("ISO_IR 192", "Äskulap")


@pytest.mark.parametrize(
    ("kept", "expected"),
    [("[ACME]", ["ACME", "a"]), ("['O*']", ["OTHER", "o"]), ("[]", []), ("[acme]", [])],
)
def test_private_elements_of_other_creators_go_at_any_depth(tmp_path, kept, expected):
    def private(made: Dataset) -> Dataset:
        made.private_block(0x0029, "ACME", create=True).add_new(0x10, "LO", "a")
        made.private_block(0x0029, "OTHER", create=True).add_new(0x10, "LO", "o")
        made.add_new(0x00311501, "LO", "nobody's")
        return made

    made = private(dataset())
    made.RequestAttributesSequence = Sequence([private(item(StudyID="1"))])
    left = leaving(run(tmp_path, f"[{{private: {kept}}}]", made))
    for level in (left, left.RequestAttributesSequence[0]):
        assert [element.value for element in level if element.tag.is_private] == expected
    assert left.RequestAttributesSequence[0].StudyID == "1"


def test_an_expression_that_takes_for_ever_is_ended_and_holds_its_copy(tmp_path, wait_until):
    with Spool(tmp_path / "spool") as spool:
        router = Router(tmp_path, spool)
        try:
            router.start(
                "routes:\n  - name: r\n    to: [pacs]\n    chain:\n"
                '      - replace: {PatientComments: {expression: "(a|aa)+$", with: b}}\n'
                "        timeout: 1 s\n"
            )
            stuck = router.accept(PatientComments="a" * 60 + "!")
            other = router.accept(PatientComments="aaa")
            wait_until(lambda: router.copy(stuck).state == "held", 60)
            wait_until(lambda: router.copy(other).state == "processed", 60)
            assert "1 s" in router.copy(stuck).reason
            assert router.copy(stuck).plugin == "replace"
        finally:
            router.stop()


@pytest.mark.parametrize(
    "step",
    [
        "set: {PatientID: X}",
        "default: {StudyID: X}",
        "copy: {StudyID: PatientID}",
        "remove: [PatientID]",
        "replace: {PatientID: {text: '7', with: '8'}}",
        "prefix: {PatientID: X}",
        "suffix: {PatientID: X}",
        "map: {element: PatientID, file: ids.csv}",
        f"hash: {{elements: [PatientID], {SECRET}}}",
        "character_set",
        "private: []",
    ],
)
def test_in_a_destinations_chain_a_step_makes_the_same(tmp_path, step):
    (tmp_path / "ids.csv").write_text("id,name\n0077,P\n")
    config = read_config(
        tmp_path,
        "  own:\n    ae_title: OWN\n    host: 127.0.0.1\n    port: 106\n"
        f"    chain:\n      - {step}\n"
        f"routes:\n  - name: r\n    to: [own]\n    chain:\n      - {step}\n",
    )
    made = dataset(PatientID="0077", SpecificCharacterSet="ISO_IR 100", InstitutionName="Ä")
    made.private_block(0x0029, "ACME", create=True).add_new(0x10, "LO", "a")
    specs = worker_specs(config)
    plugins = Plugins(tmp_path / "plugins")
    inside, outside = specs[0]["r"], specs[1]["own"]
    own, received, leaving_it = (make_instance(made, tmp_path) for _ in range(3))
    routed = run_chain(plugins.chain(inside), inside, own, received, [])
    target = Destination("own", "dicom", {})
    sent = run_outgoing(plugins.chain(outside), outside, leaving_it, target)
    assert isinstance(routed, Processed)
    assert isinstance(sent, Processed)
    assert routed.segments is not None
    assert b"".join(read_segments(sent.segments or ())) == b"".join(read_segments(routed.segments))
