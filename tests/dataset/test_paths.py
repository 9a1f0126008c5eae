"""Paths as an admin writes them in a `when`."""

import pickle

import pytest

from router.dataset import Path, Step, parse_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Modality", [Step(0x00080060)]),
        ("(0008,0060)", [Step(0x00080060)]),
        ("( 0008 , 0060 )", [Step(0x00080060)]),
        ("(0029,1010)", [Step(0x00291010)]),
        ("(0029,10,SIEMENS CSA HEADER)", [Step(0x00290010, "SIEMENS CSA HEADER")]),
        ("(0029,xx10,SIEMENS CSA HEADER)", [Step(0x00290010, "SIEMENS CSA HEADER")]),
        ("(0029,10,A.B (c), d).(0008,0060)", [Step(0x00290010, "A.B (c), d"), Step(0x00080060)]),
        (
            "RequestAttributesSequence.ScheduledProcedureStepID",
            [Step(0x00400275), Step(0x00400009)],
        ),
        ("(5200,9229).(0020,9113).ImagePositionPatient",
         [Step(0x52009229), Step(0x00209113), Step(0x00200032)]),
        ("OverlayData", None),
    ],
)  # fmt: skip
def test_a_path_is_its_steps(text, steps):
    if steps is None:
        with pytest.raises(ValueError):
            parse_path(text)
    else:
        assert parse_path(text) == Path(text, tuple(steps))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Modalty", "Modalty is not a DICOM keyword; did you mean Modality?"),
        ("qqqqqqqqq", "qqqqqqqqq is not a DICOM keyword"),
        ("**", "'**' is not an element: write a keyword"),
        ("Modality**", "is not an element"),
        ("", "is not an element"),
        ("Modality.", "nothing is below it"),
        ("RequestAttributesSequence.", "is not an element"),
        (".Modality", "is not an element"),
        ("(0008,006)", "is not an element"),
        ("(0008,0060", "is not an element"),
        ("Modality.PatientID", "Modality is not a sequence, so nothing is below it"),
        ("(0008,0060).PatientID", "Modality is not a sequence"),
        ("(0008,10,CREATOR)", "group 0008 is even, so it is not private"),
        ("TransferSyntaxUID", "is never in a data set (group 0002)"),
        ("(0000,0100)", "is never in a data set (group 0000)"),
    ],
)
def test_a_mistake_is_explained(text, message):
    with pytest.raises(ValueError) as mistake:
        parse_path(text)
    assert message in str(mistake.value)


def test_paths_cross_to_other_processes():
    path = parse_path("RequestAttributesSequence.(0029,10,SIEMENS CSA HEADER)")
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(path) == "RequestAttributesSequence.(0029,10,SIEMENS CSA HEADER)"
