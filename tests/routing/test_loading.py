"""Where plugins come from, and how their options are checked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from router.config import ConfigError, Mistake, load
from router.routing import PluginError, check_chains, check_plugin, known_plugins, load_plugin
from tests.routing.helpers import write_config

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from router import Instance, hookimpl

class Mark:
    def __init__(
        self, text: str, count: int = 1, factor: float = 1.0, loud: bool = False,
        table: Path | None = None, kind: Literal["a", "b"] = "a", names: list[str] = (),
        sizes: dict[str, int] | None = None,
    ) -> None:
        if text == "bad":
            raise ValueError("text must be good")
        self.arguments = (text, count, factor, loud, table, kind, names, sizes)

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        pass
"""


def mistakes(folder: Path, text: str) -> list[Mistake]:
    """What is wrong with a configuration beside `mark.py`."""
    (folder / "mark.py").write_text(PLUGIN)
    path = write_config(folder, text)
    try:
        config = load(path, check_plugin=check_plugin, known_plugins=known_plugins())
    except ConfigError as error:
        return list(error.mistakes)
    return check_chains(config)


def mistakes_of_options(folder: Path, options: str) -> list[Mistake]:
    return mistakes(
        folder,
        f"""plugins:
  m:
    use: mark.py:Mark
    options:
{options}
routes: [{{name: r, chain: [m], to: [pacs]}}]
""",
    )


def test_options_that_fit_are_no_mistake(tmp_path):
    options = """
      text: hello
      count: 2
      factor: 2
      loud: true
      table: table.csv
      kind: b
      names: [x, y]
      sizes: {a: 1}
"""
    assert mistakes_of_options(tmp_path, options) == []


@pytest.mark.parametrize(
    ("options", "line", "expected"),
    [
        (
            "      text: hello\n      cuont: 2",
            12,
            "not an option of this plugin, did you mean 'count'?",
        ),
        ("      count: 2", 11, "the option 'text' is missing"),
        ("      text: 12", 11, "wants text, got the number 12: quote it"),
        ("      text: hello\n      count: many", 12, "wants a whole number, got text"),
        ("      text: hello\n      count: true", 12, "wants a whole number, got true"),
        ("      text: hello\n      loud: 1", 12, "wants true or false, got the number 1"),
        ("      text: hello\n      kind: c", 12, "wants one of a, b; got text"),
        ("      text: hello\n      names: x", 12, "wants a list, got text"),
        ("      text: hello\n      names: [x, 2]", 12, "wants text, got the number 2"),
        ("      text: hello\n      sizes: {a: x}", 12, "wants a whole number, got text"),
        ("      text: bad", 9, "text must be good"),
    ],
)
def test_a_mistake_in_the_options_is_told_where_it_is(tmp_path, options, line, expected):
    (mistake,) = mistakes_of_options(tmp_path, options)
    assert expected in mistake.message
    assert mistake.position.line == line
    assert mistake.path.startswith("plugins.m")


def test_all_mistakes_in_the_options_are_told_at_once(tmp_path):
    found = mistakes_of_options(tmp_path, "      cuont: 2\n      kind: c")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("[skpi: {Modality: CT}]", "did you mean 'skip'?"),
        ("[{set: {PatientID: X}}, {skip: {Modality: CT}}]", "list it before 'set'"),
        ("[{skip: {Modalty: CT}}]", "did you mean Modality?"),
        ("[{set: {PatientId: X}}]", "did you mean PatientID?"),
        ('[{set: {PatientID: "{PatientNmae}"}}]', "did you mean PatientName?"),
        ('[{set: {PatientID: "{Patient}"}}]', "set.PatientID: '{Patient}' is no template"),
        ("[{set: {StudyDate: tomorrow}}]", "StudyDate does not take 'tomorrow'"),
        ("[{set: {Rows: many}}]", "Rows does not take 'many'"),
        ("[{set: {PixelData: x}}]", "cannot be set"),
        ("[{remove: [PatientCommets]}]", "did you mean PatientComments?"),
        ("[{store: {directory: here, path: ../x}}]", "without '..'"),
        ("[{store: {}}]", "'directory' is missing"),
        ("[other.py:Mark]", "cannot read"),
        ("[mark.py:Mrk]", "did you mean 'Mark'?"),
        ("[{mark.py:Mark: {text: a}, when: {Modalty: CT}}]", "did you mean Modality?"),
    ],
)
def test_a_mistake_in_a_chain_says_what_is_meant(tmp_path, chain, expected):
    found = mistakes(tmp_path, f"routes: [{{name: r, chain: {chain}, to: [pacs]}}]")
    assert expected in " ".join(str(mistake) for mistake in found)
    assert all(mistake.position.line == 7 for mistake in found)


def write_plugin(folder: Path, hook: str) -> None:
    (folder / "other.py").write_text(
        f"from router import hookimpl\nclass Other:\n    @hookimpl\n    def {hook}: pass\n"
    )


def test_a_plugin_none_of_whose_hooks_would_be_called_is_a_mistake(tmp_path):
    write_plugin(tmp_path, "accept_association(self, association)")
    (mistake,) = mistakes(tmp_path, "routes: [{name: r, chain: [other.py:Other], to: [pacs]}]")
    assert "none of its hooks would be called here" in mistake.message
    assert "'other.py:Other' has accept_association; a route calls" in mistake.message


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        (
            "rewrite_instnace(self, instance)",
            "unknown hook 'rewrite_instnace', did you mean 'rewrite_instance'?",
        ),
        (
            "rewrite_instance(self, instance, destination)",
            "rewrite_instance has no argument 'destination'; it has instance",
        ),
        (
            "rewrite_instance(self, instance): pass\n    def verify_instance(self, instance)",
            "verify_instance would never be called: mark it with @hookimpl",
        ),
    ],
)
def test_a_hook_there_is_not_is_a_mistake(tmp_path, hook, expected):
    write_plugin(tmp_path, hook)
    (mistake,) = mistakes(tmp_path, "routes: [{name: r, chain: [other.py:Other], to: [pacs]}]")
    assert mistake.message == expected


@pytest.mark.parametrize("mark", ["tryfirst", "trylast", "wrapper"])
def test_a_hook_that_wants_another_order_than_the_chains_is_a_mistake(tmp_path, mark):
    (tmp_path / "other.py").write_text(
        f"from router import hookimpl\nclass Other:\n    @hookimpl({mark}=True)\n"
        "    def rewrite_instance(self, instance): yield\n"
    )
    (mistake,) = mistakes(tmp_path, "routes: [{name: r, chain: [other.py:Other], to: [pacs]}]")
    assert "no tryfirst, trylast or wrapper" in mistake.message


def test_a_plugin_file_that_cannot_be_imported_says_where(tmp_path):
    (tmp_path / "bad.py").write_text("import os\nthis is no python\n")
    (mistake,) = mistakes(tmp_path, "routes: [{name: r, chain: [bad.py:Bad], to: [pacs]}]")
    assert f"{tmp_path / 'bad.py'}:2" in mistake.message


def test_a_file_that_a_constructor_misses_is_named_and_nothing_else(tmp_path):
    (tmp_path / "table.py").write_text(
        "from pathlib import Path\nfrom router import hookimpl\n\n"
        "class Table:\n"
        "    def __init__(self, file: Path) -> None:\n"
        "        self.text = file.read_text()\n\n"
        "    @hookimpl\n"
        "    def verify_instance(self, instance):\n"
        "        pass\n"
    )
    chain = "[{table.py:Table: {file: gone.csv}}]"
    (mistake,) = mistakes(tmp_path, f"routes: [{{name: r, chain: {chain}, to: [pacs]}}]")
    assert mistake.message == f"{tmp_path / 'gone.csv'}: No such file or directory"


def test_a_constructor_with_one_positional_only_parameter_gets_its_options_whole(tmp_path):
    assert (
        mistakes(tmp_path, "routes: [{name: r, chain: [{remove: [PatientComments]}], to: [pacs]}]")
        == []
    )


def test_shipped_plugins_are_known_without_being_imported():
    assert {"skip", "keep", "set", "remove", "store"} <= set(known_plugins())


def test_an_unknown_plugin_names_the_nearest(tmp_path):
    with pytest.raises(PluginError, match="did you mean 'remove'"):
        load_plugin("remov", tmp_path)


def test_an_edited_plugin_file_is_loaded_anew_and_leaves_no_trace_in_the_path(tmp_path):
    file = tmp_path / "edited.py"
    (tmp_path / "edited_helper.py").write_text("VALUE = 1\n")
    file.write_text("import edited_helper\nclass It:\n    value = edited_helper.VALUE\n")
    before = list(sys.path)
    first = load_plugin("edited.py:It", tmp_path)
    (tmp_path / "edited_helper.py").write_text("VALUE = 2\n")
    file.write_text("import edited_helper\nclass It:\n    value = edited_helper.VALUE\n\n")
    second = load_plugin("edited.py:It", tmp_path)
    assert (first.value, second.value) == (1, 2)
    assert sys.path == before
    assert "edited_helper" not in sys.modules


def test_the_source_that_was_read_counts_whatever_the_file_holds_by_now(tmp_path):
    file = tmp_path / "kept.py"
    file.write_text("class It:\n    value = 2\n")
    assert load_plugin("kept.py:It", tmp_path, {file: b"class It:\n    value = 1\n"}).value == 1
