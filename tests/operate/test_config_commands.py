"""`check --strict`, `diff` and `schema`: what they print, and their exit codes."""

import json

import pytest
from click.testing import CliRunner, Result

from router.operate.cli import main

OLD = """\
listeners: {dicom: {port: 11112, bind: 127.0.0.1}}
destinations: {vna: {type: folder, directory: ./vna}}
routes: [{name: all, to: [vna]}]
"""


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "same.yaml").write_text(f"# with a remark\n{OLD}")
    (tmp_path / "new.yaml").write_text(OLD.replace("11112", "11113"))
    (tmp_path / "lint.yaml").write_text(OLD.replace("127.0.0.1", "0.0.0.0"))
    (tmp_path / "wrong.yaml").write_text(OLD.replace("port", "prot"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_strict_ends_with_1_where_there_is_a_lint():
    assert run("check", "lint.yaml").exit_code == 0
    strict = run("check", "--strict", "lint.yaml")
    assert strict.exit_code == 1
    assert "no `accept`" in strict.stderr
    assert run("check", "--strict", "old.yaml").exit_code == 0


def test_destinations_that_a_table_names_are_checked(tmp_path):
    (tmp_path / "by.csv").write_text("station,to\nCT1,vna\nCT2,van\n")
    chain = "chain: [{route_by: {element: StationName, file: by.csv, default: [vna]}}]"
    (tmp_path / "old.yaml").write_text(OLD.replace("to: [vna]", chain))
    checked = run("check", "old.yaml")
    assert checked.exit_code == 0
    assert (
        "old.yaml:3:30: lint: routes.all.chain[0]: copies it names 'van' for are held: "
        "no such destination, did you mean 'vna'?"
    ) in checked.stderr
    assert checked.stderr.count("lint:") == 1


def test_diff_says_what_is_different():
    different = run("diff", "old.yaml", "new.yaml")
    assert different.exit_code == 0
    assert different.stdout == (
        "listener dicom: port: 11112 -> 11113; reopened; associations under way finish\n"
    )
    assert run("diff", "old.yaml", "same.yaml").stdout == "The router would do the same.\n"


@pytest.mark.parametrize(
    ("new", "code"), [("same.yaml", 0), ("new.yaml", 1), ("wrong.yaml", 2), ("none.yaml", 2)]
)
def test_diff_tells_a_script_by_its_exit_code_when_asked_to(new, code):
    assert run("diff", "--exit-code", "old.yaml", new).exit_code == code


def test_diff_for_scripts_is_json():
    assert json.loads(run("diff", "--json", "old.yaml", "new.yaml").stdout) == [
        {
            "path": "listeners.dicom.port",
            "about": "listener dicom",
            "kind": "changed",
            "words": "port: 11112 -> 11113",
            "effect": "reopened; associations under way finish",
            "needs_restart": False,
        }
    ]


def test_schema_prints_a_json_schema():
    schema = json.loads(run("schema").stdout)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert "listeners" in schema["properties"]


def test_check_gives_scripts_every_finding_with_its_place(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("listeners: {main: {prot: 11112, bind: 127.0.0.1}}\n")
    result = run("check", str(config), "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == [
        {
            "file": str(config),
            "line": 1,
            "column": 20,
            "path": "listeners.main.prot",
            "level": "error",
            "message": "unknown key 'prot', did you mean 'port'?",
        }
    ]
    config.write_text("")
    result = run("check", str(config), "--json")
    assert (result.exit_code, [each["level"] for each in json.loads(result.stdout)]) == (
        0,
        ["lint"],
    )
    assert run("check", str(config), "--json", "--strict").exit_code == 1
