"""Texts and paths made of an instance's values."""

import os
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Hold, PathTemplate, Template
from router.files import is_safe_name, safe_name, write_durably
from router.testing import make_instance
from tests.routing.helpers import dataset


@given(st.text())
def test_a_safe_name_is_one_harmless_part_of_a_path(text):
    name = safe_name(text)
    assert PurePosixPath(name).parts == (name,)
    assert name not in (".", "..")
    assert not name.startswith(".")
    assert 0 < len(os.fsencode(name)) <= 180
    assert not any(ord(character) < 32 or character in '/\\:*?"<>|' for character in name)
    assert is_safe_name(name)


@given(st.text(), st.text())
def test_two_texts_never_have_one_safe_name(one, other):
    assert (safe_name(one) == safe_name(other)) is (one == other)


@pytest.mark.parametrize(
    "text", ["..", "../x", "/etc", "a/b", "a\\b", "NUL", "com1.txt", "a\0b", ""]
)
def test_a_dangerous_text_is_altered(text):
    assert safe_name(text) != text


@pytest.mark.parametrize("text", ["1.2.840.10008.1", "Müller^Änne", "A-1_2", "x" * 180])
def test_a_harmless_text_stays(text):
    assert safe_name(text) == text


def test_values_cannot_leave_their_part_of_a_path(tmp_path):
    made = dataset(PatientID="../../x", StudyID="/etc/passwd")
    path = PathTemplate("{PatientID}/{StudyID}.dcm").render(make_instance(made, tmp_path))
    assert len(path.parts) == 2
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.suffix == ".dcm"


@pytest.mark.parametrize("text", ["/abs/{PatientID}", "../{PatientID}", "a/../b", ""])
def test_a_path_that_leads_outside_is_no_template(text):
    with pytest.raises(ValueError, match="inside the directory"):
        PathTemplate(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{PatientNmae}", "did you mean PatientName"),
        ("{PatientName", "is no template"),
        ("{PatientName:>20}", "nothing else in the braces"),
        ("{}", "nothing else in the braces"),
    ],
)
def test_a_text_that_is_no_template_says_why(text, expected):
    with pytest.raises(ValueError, match=expected):
        Template(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{PatientID}", "77"),
        ("{{{PatientID}}}", "{77}"),
        ("{ImageType}", "ORIGINAL\\PRIMARY"),
        ("{(0010,0020)}/{called_ae_title}", "77/ROUTER"),
        ("{Rows}", "512"),
        ("{received}", "20240305143000.000000+0000"),
    ],
)
def test_a_template_is_filled_in_whether_the_data_set_was_opened_or_not(tmp_path, text, expected):
    made = dataset(PatientID="77", ImageType=["ORIGINAL", "PRIMARY"], Rows=512)
    instance = make_instance(made, tmp_path)
    assert Template(text).render(instance) == expected
    assert instance.dataset.PatientID == "77"
    assert Template(text).render(instance) == expected


@pytest.mark.parametrize("elements", [{}, {"PatientID": ""}])
def test_a_missing_value_holds(tmp_path, elements):
    with pytest.raises(Hold, match="{PatientID} is missing or empty"):
        Template("X{PatientID}").render(make_instance(dataset(**elements), tmp_path))


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_durably(path, [b"one", b"two"])
    assert path.read_bytes() == b"onetwo"

    def fails():
        yield b"three"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        write_durably(path, fails())
    assert path.read_bytes() == b"onetwo"
    assert os.listdir(path.parent) == ["file"]
