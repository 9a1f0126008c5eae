"""The JSON Schema: valid, explained, and of one mind with the checker."""

import copy
import json
import re
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from router.config import ConfigError, init_text
from router.config.including import merge_included
from router.config.json_schema import json_schema
from router.config.reading import read_tree
from router.config.schema import models
from router.config.tree import Findings, plain
from router.operate.generation import read_config
from router.routing import known_plugins
from router.routing.options_schema import options_schema
from tests.conftest import REPOSITORY

MISTAKES = REPOSITORY / "tests" / "config_mistakes"
# What only the checker can know: names, files, what two keys say together.
BEYOND_SCHEMA = {
    *("duplicate_key", "missing_file", "only_otherwise", "split_element_tag"),
    *("two_listeners_one_port", "undefined_alias", "unknown_condition", "unknown_destination"),
}
SCHEMA = json_schema({name: options_schema(name, REPOSITORY) for name in known_plugins()})
VALIDATOR = Draft7Validator(SCHEMA)


def as_written(path: Path) -> object:
    """A file's plain values, as an editor sees them; None where it is no YAML."""
    findings = Findings()
    root = read_tree(str(path), path.parent, findings)
    if root is None:
        return None
    merge_included(root, path.parent, findings)
    return plain(root)


def refusals(value: object) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in VALIDATOR.iter_errors(value)]


def test_it_is_a_schema():
    Draft7Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_it_takes_the_example_and_the_starting_configuration(tmp_path):
    (tmp_path / "config.yaml").write_text(init_text())
    for path in (REPOSITORY / "config.example.yaml", tmp_path / "config.yaml"):
        assert refusals(as_written(path)) == []


@pytest.mark.parametrize("path", sorted(MISTAKES.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_refuses_what_is_broken_as_far_as_a_schema_can_tell(path):
    value = as_written(path)
    if value is None:
        return  # no YAML: nothing for a schema to judge
    is_broken = " mistake" in path.with_suffix(".expected").read_text()
    assert bool(refusals(value)) == (is_broken and path.stem not in BEYOND_SCHEMA)


def snippets():
    """The documentation's examples of configurations, whole or parts of one."""
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    for page in pages:
        for number, text in enumerate(
            re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
        ):
            yield pytest.param(text, id=f"{page.stem}-{number}")


@pytest.mark.parametrize("text", list(snippets()))
def test_it_takes_what_the_documentation_shows(tmp_path, text):
    if text.startswith("- "):  # steps
        text = "chain:\n" + indent(text, "  ")
    if text.startswith("chain:"):
        text = "routes:\n  - name: a\n" + indent(text, "    ")
    (tmp_path / "config.yaml").write_text(text)
    assert refusals(as_written(tmp_path / "config.yaml")) == []


def descriptions(schema, at="", named=False):
    """Every key that the schema names, and what it says of it."""
    for key, below in schema.items() if isinstance(schema, dict) else ():
        if key == "properties" and not named:
            for name, each in below.items():
                yield f"{at}.{name}", each
                yield from descriptions(each, f"{at}.{name}")
        elif isinstance(below, dict) and key not in ("if", "definitions"):
            yield from descriptions(below, at)


def test_every_key_is_explained_and_has_its_default():
    told = dict(descriptions(SCHEMA))
    assert [key for key, schema in told.items() if not schema.get("description")] == []
    assert {path[0] for path in models() if path} <= {key.split(".")[1] for key in told}
    assert told[".spool.keep_free"]["default"] == "5 GiB"
    assert "[" not in told[".destinations.fallback"]["markdownDescription"]


def test_the_shipped_plugins_are_offered_with_their_options():
    step = SCHEMA["definitions"]["step"]["properties"]
    assert step["store"]["properties"].keys() == {"directory", "path"}
    assert step["store"]["required"] == ["directory"]
    assert step["skip"]["anyOf"][0]["allOf"] == [{"$ref": "#/definitions/when"}]
    assert "Sets elements" in step["set"]["description"]


RICH = {
    "spool": {"directory": "./spool", "keep_free": "5 GiB", "retain": 0},
    "listeners": {
        "main": {
            "ae_title": ["ROUTER", "R*"],
            "port": 104,
            "bind": "127.0.0.1",
            "accept": {"calling_ae_titles": "*", "networks": ["10.0.0.0/8"], "peers": ["ct"]},
            "transfer_syntaxes": ["ExplicitVRLittleEndian", "1.2.840.10008.1.2"],
            "acknowledge": "processed",
        }
    },
    "peers": {"ct": {"networks": "10.1.4.7", "services": ["store"]}},
    "destinations": {
        "pacs": {
            "ae_title": "PACS",
            "host": "pacs.example",
            "close_after": "study",
            "retry": {"first": "5 s", "hold_after": "never"},
            "timeouts": {"connect": "500 ms"},
            "delivered_statuses": ["0x0111"],
            "schedule": ["Mon-Fri 18:00-06:00"],
            "bandwidth": "20 MB/s",
            "spool_limit": "unlimited",
            "fallback": "vna",
        },
        "vna": {"type": "folder", "directory": "./vna", "path": "{SOPInstanceUID}.dcm"},
    },
    "plugins": {"tidy": {"use": "remove", "options": ["PatientComments"], "timeout": "5 s"}},
    "routes": [
        {
            "name": "one",
            "when": {
                "Modality": ["CT", "MR"],
                "SliceThickness": "<= 1.5",
                "calling_ae_title": "CT*",
                "time": "07:00-18:00",
                "not": {"PatientID": {"exists": True}},
                "any": [{"Rows": 512}, {"(0029,10,ACME)": "x"}],
            },
            "chain": [
                {"skip": {"ImageType": "*LOCALIZER*"}, "timeout": "1 s"},
                "tidy",
                {"set": {"InstitutionName": "St. Elsewhere"}, "when": {"Modality": "CT"}},
                {"store": {"directory": "/archive", "path": "{PatientID}.dcm"}},
            ],
            "to": ["pacs"],
        },
        {"name": "rest", "when": "otherwise", "to": "vna"},
    ],
    "processing": {"workers": "auto"},
    "timezone": "Europe/Berlin",
    "web": {"bind": "localhost", "port": 8080, "networks": "10.0.0.0/8", "hosts": ["a.hospital"]},
    "logging": {"level": "info", "format": "json", "patient_data": False},
    "alerts": {"after": ["15 min"], "command": ["./page.sh"], "webhook": "http://pager.example/"},
}
ODD = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 104, 70000, 0.0, 1.5, "", " ", "0", "5", "-5"]),
    st.sampled_from(["5 s", "5s ", "1.5 h", "5 GiB", "1 MB/s", "never", "unlimited", "study"]),
    st.sampled_from(["all", "auto", "as_is", "0x0111", "10.0.0.0/8", "::1", "localhost", "18-20"]),
    st.sampled_from(["CT", "*", "< 5", "20200101-", "otherwise", "pacs", "vna", "main", "tidy"]),
    st.sampled_from([[], {}, ["CT"], [5], [[]], {"exists": False}, {"Modality": "CT"}, ["a", 1]]),
    st.sampled_from(["set", "skip", "folder", "dicom", "JPEG2000Lossless", "1.2.3", "debug"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=18),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
)


def places(value, at=()):
    """Every place in plain values, as the keys and indexes that lead to it."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*at, key)
            yield from places(each, (*at, key))


def at(place):
    """What stands there in the rich configuration."""
    value = RICH
    for key in place:
        value = value[key]
    return value


def changed(place, change):
    """The rich configuration changed at a place: `change` gets what holds it, and its key."""
    value = copy.deepcopy(RICH)
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    change(inner, place[-1])
    return value


@pytest.fixture(scope="module")
def is_accepted(tmp_path_factory):
    """Whether the checker finds no mistake in plain values."""
    path = tmp_path_factory.mktemp("mutations") / "config.yaml"

    def accepts(value):
        path.write_text(json.dumps(value))
        try:
            read_config(path)
        except ConfigError:
            return False
        return True

    return accepts


def test_both_take_the_rich_configuration(is_accepted):
    assert is_accepted(RICH)
    assert refusals(RICH) == []


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(places(RICH), key=str)), ODD, st.sampled_from(["put", "drop", "add"]))
def test_what_the_checker_accepts_the_schema_accepts(is_accepted, place, odd, how):
    def change(inner, key):
        if how == "drop":
            del inner[key]
        elif how == "add" and isinstance(inner[key], list):
            inner[key].append(odd)
        else:
            inner[key] = odd

    value = changed(place, change)
    if is_accepted(value):
        assert refusals(value) == []


def of_the_model(place):
    """Whether the model says what may stand there: not plugins, not conditions."""
    return not {"when", "chain", "options"} & set(place)


@pytest.mark.parametrize("section", sorted({path[0] for path in models() if path}))
def test_both_take_a_section_with_nothing_in_it(is_accepted, section):
    value = {section: None}
    assert is_accepted(value)
    assert refusals(value) == []


SECTIONS = [
    place
    for place in places(RICH)
    if of_the_model(place)
    and isinstance(at(place), dict)
    and place not in [("listeners",), ("peers",), ("destinations",), ("plugins",)]
]
VALUES = [
    place for place in places(RICH) if of_the_model(place) and not isinstance(at(place), dict)
]


@pytest.mark.parametrize("place", SECTIONS, ids=str)
def test_both_refuse_an_unknown_key(is_accepted, place):
    value = changed(place, lambda inner, key: inner[key].update(zzz=1))
    assert not is_accepted(value)
    assert refusals(value)


@pytest.mark.parametrize("place", VALUES, ids=str)
def test_both_refuse_a_mapping_where_a_value_stands(is_accepted, place):
    value = changed(place, lambda inner, key: inner.__setitem__(key, {"zzz": 1}))
    assert not is_accepted(value)
    assert refusals(value)
