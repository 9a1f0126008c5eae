"""`dicom-router passcode` writes what a listener reads: hashes, never a passcode."""

import pytest
from click.testing import CliRunner

from router.config.passcodes import Passcodes
from router.operate.cli import main


def run(path, name, passcode):
    text = f"{passcode}\n{passcode}\n"
    return CliRunner().invoke(main, ["passcode", str(path), name], input=text)


def test_users_are_added_and_get_other_passcodes(tmp_path):
    path = tmp_path / "users"
    path.write_text("# who may send\n")
    for name, passcode in (("ct1", "one"), ("mr 1", "two"), ("ct1", "three")):
        done = run(path, name, passcode)
        assert done.exit_code == 0, done.output
        assert passcode not in done.output
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert text.startswith("# who may send\nmr 1:scrypt$")
    assert "three" not in text
    users = Passcodes(path, path.read_bytes())
    assert repr(users) == f"Passcodes({path}, 2 users)"
    assert users.are("ct1", b"three")
    assert users.are("mr 1", b"two")
    assert not users.are("ct1", b"one")
    assert not users.are("nobody", b"")


def test_a_name_that_would_be_another_line_is_refused(tmp_path):
    for name in ("a:b", "a\nb", "#a", " a", ""):
        assert run(tmp_path / "users", name, "x").exit_code == 2
    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize(
    "line",
    [
        "ct1:plain",
        "ct1",
        "ct1:scrypt$16384$8$1$!!$AAAA",
        "ct1:scrypt$1073741824$8$1$AAAA$AAAA",  # as much memory as a machine has
        "ct1:scrypt$16384$8$1$$",
        ":scrypt$16384$8$1$AAAA$AAAA",
    ],
)
def test_a_line_that_is_none_is_named_by_its_number_only(tmp_path, line):
    with pytest.raises(ValueError, match="line 2 is no `name:hash`") as caught:
        Passcodes(tmp_path, f"\n{line}\n".encode())
    assert "scrypt" not in str(caught.value)
