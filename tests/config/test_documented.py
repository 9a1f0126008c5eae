"""The example and the reference have every key of the model, with the defaults it has."""

import re
from pathlib import Path

from pydantic_core import PydanticUndefined
from ruamel.yaml import YAML

from router.config import init_text, load
from router.config.schema import keys_of, models
from tests.config.conftest import SHIPPED

REPOSITORY = Path(__file__).resolve().parent.parent.parent
EXAMPLE = REPOSITORY / "config.example.yaml"
# What is read before the model is.
BY_HAND = {"plugins.*": {"use": "required", "options": None, "timeout": "30 s"}}
_REMARK = re.compile(r"\((?:default ([^()]*)|(required))\)")


def read(text):
    return YAML(typ="safe", pure=True).load(text)


def defaults():
    """Every key of every model with its default, as a file would have it."""
    found = dict(BY_HAND)
    for path, model in models().items():
        fields = {key: model.model_fields[key].default for key in keys_of(model)}
        found[".".join(path)] = {
            key: "required" if default is PydanticUndefined else plain(default)
            for key, default in fields.items()
        }
    return found


def plain(default):
    """One item needs no brackets."""
    many = list(default) if isinstance(default, tuple) else default
    return many[0] if isinstance(many, list) and len(many) == 1 else many


def example_lines():
    """(path, value, comment) of every line of the example that has a key."""
    above = []
    for line in EXAMPLE.read_text().splitlines():
        line = re.sub(r"^    # ( *\w+:)", r"    \1", line)  # files that are not there
        match = re.match(r"( *)(- )?(\w+):(?: +([^#\s].*?))?(?:\s+# (.*))?$", line)
        if match and not line.lstrip().startswith("#"):
            indent = len(match[1]) + len(match[2] or "")
            above = [(i, key) for i, key in above if i < indent] + [(indent, match[3])]
            yield [key for _, key in above], match[4], match[5] or ""


def place(keys):
    """The model a key of the example belongs to, and the key."""
    *path, key = keys
    if path[:1] == ["destinations"] and len(path) > 1:
        path.insert(2, "folder" if path[1] == "vna" else "dicom")
    if path[:1] in (["routes"], ["tests"], ["query_retrieve"]):
        path.insert(1, "*")
    elif len(path) > 1:
        path[1] = "*"
    return ".".join(path), key


def test_the_example_runs_as_it_stands_without_a_mistake_or_a_lint():
    config = load(EXAMPLE, known_plugins=SHIPPED)
    assert config.lints == ()
    (listener,) = config.listeners.values()
    assert (listener.bind, listener.port) == ("127.0.0.1", 11112)
    assert [route.to for route in config.routes] == [("vna",), ("pacs",)]


def test_the_example_has_every_key_once():
    said = [place(keys) for keys, _, _ in example_lines()]
    known = {(path, key) for path, keys in defaults().items() for key in keys}
    shared = {key for path, key in known if path == "destinations.*.plugin"} - {"options"}
    expected = {
        (path, key)
        for path, key in known
        if not path.startswith("destinations.*.plugin")
        and not path.startswith("destinations.*.folder.")
        and not (path == "destinations.*.folder" and key in shared - {"type"})
    }
    expected.remove(("tests.*", "file"))  # it would have to be there
    named = [each for each in said if each in known]
    assert sorted(named) == sorted(expected)
    assert all(told in EXAMPLE.read_text() for told in ("`options:`", "`file:`"))


def test_the_example_states_the_defaults_there_are():
    known = defaults()
    for keys, value, comment in example_lines():
        path, key = place(keys)
        if value is None or key not in known.get(path, {}) or keys[-2:] == ["vna", "type"]:
            continue
        remark = _REMARK.search(comment)
        stated = "required" if remark and remark[2] else plain(read(remark[1] if remark else value))
        assert (path, key, stated) == (path, key, known[path][key])


def test_the_example_explains_every_key():
    said = [keys for keys, value, comment in example_lines() if value and not comment]
    assert said == [["destinations", "vna", "type"]]  # explained above


def reference_tables():
    """(the models a table is about, its key, the default stated) of every row."""
    about = []
    for line in (REPOSITORY / "docs" / "configuration.md").read_text().splitlines():
        if line == "## Top level":
            about = [""]
        elif heading := re.fullmatch(r"## `(.*)`", line):
            about = [
                heading[1].replace("NAME", "*")
                + (".*" if heading[1] in ("routes", "tests", "query_retrieve") else "")
            ]
            if about == ["destinations.*"]:
                about = [f"destinations.*.{kind}" for kind in ("dicom", "folder", "plugin")]
            elif about[0].startswith("destinations.*.retry"):
                about = [f"destinations.*.{kind}.retry" for kind in ("dicom", "folder", "plugin")]
            elif about[0] in (f"destinations.*.{key}" for key in ("timeouts", "query", "tls")):
                about = [about[0].replace("*", "*.dicom")]
            elif about == ["query_retrieve.accept"]:
                about = ["query_retrieve.*.accept"]
        elif besides := re.match(r"`type: (\w+)` has besides|(Any other) type has besides", line):
            about = [f"destinations.*.{besides[1] or 'plugin'}"]
        elif line.startswith("##"):
            about = []
        elif about and (row := re.match(r"\| `(\w+)` \| (.*?) \|", line)):
            for path in about:
                yield path, row[1], row[2]


def test_the_reference_has_every_key_with_its_default():
    known = defaults()
    rows = {(path, key): stated for path, key, stated in reference_tables()}
    assert sorted(rows) == sorted((path, key) for path, keys in known.items() for key in keys)
    for (path, key), stated in rows.items():
        if key == "type" and path.startswith("destinations"):
            continue
        words = {"none": None, "required": "required", "see below": {}}
        default = words[stated] if stated in words else plain(read(stated.strip("`")))
        assert (path, key, default) == (path, key, known[path][key])


def test_the_starting_configuration_runs_without_a_mistake_or_a_lint(tmp_path):
    (tmp_path / "config.yaml").write_text(init_text())
    config = load(tmp_path / "config.yaml", known_plugins=SHIPPED)
    assert config.lints == ()
    assert config.destinations["vna"].directory == tmp_path / "vna"
