"""Plugins and chains as a configuration has them."""

import pytest

from router.config import Mistake, load

DESTINATIONS = "destinations: {vna: {type: folder, directory: ./vna}}\n"


def chain_of(configured, chain, plugins=""):
    text = f"{DESTINATIONS}{plugins}routes:\n  - name: a\n    to: vna\n    chain:\n{chain}"
    return configured(text).routes[0].chain


def test_a_step_is_a_name_or_a_plugin_with_its_options(configured, tmp_path):
    named, bare, inline = chain_of(
        configured,
        "      - site\n      - store\n      - set: {InstitutionName: X, SeriesNumber: 5}\n",
        "plugins: {site: {use: set, options: {PatientID: Y}, timeout: 2 min}}\n",
    )
    assert (named.plugin.name, named.plugin.use, named.plugin.inline) == ("site", "set", False)
    assert (named.plugin.options, named.timeout) == ({"PatientID": "Y"}, 120)
    assert (bare.plugin.name, bare.plugin.options, bare.plugin.inline) == ("store", None, True)
    assert inline.plugin.options == {"InstitutionName": "X", "SeriesNumber": 5}
    assert (inline.timeout, inline.when, inline.plugin.directory) == (30, None, tmp_path)


def test_any_step_may_have_its_own_condition_and_time(configured):
    chain = "      - site:\n        when: {Modality: CT}\n        timeout: 5 s\n"
    (step,) = chain_of(configured, chain, "plugins: {site: {use: set}}\n")
    assert (step.plugin.name, step.timeout, step.plugin.timeout) == ("site", 5, 30)
    assert step.when.conditions[0].text == "Modality: CT"


def test_a_destination_and_a_listener_have_chains_too(configured):
    config = configured(
        "listeners: {a: {bind: 127.0.0.1, chain: [own.py:Own, skip: {Modality: OT}]}}"
    )
    first, second = config.listeners["a"].chain
    assert (first.plugin.use, second.plugin.options) == ("own.py:Own", {"Modality": "OT"})


def test_where_every_option_stands_is_kept(configured):
    (step,) = chain_of(configured, "      - set: {PatientID: {a: [1, 2]}}\n")
    positions, keys = step.plugin.option_positions, step.plugin.option_keys
    assert [str(positions[at]) for at in ("", "PatientID", "PatientID.a.1")] == [
        "config.yaml:6:14",
        "config.yaml:6:26",
        "config.yaml:6:34",
    ]
    assert str(keys["PatientID"]) == "config.yaml:6:15"
    assert (step.path, step.plugin.path) == ("routes.a.chain[0]", "routes.a.chain[0].set")


def test_steps_that_differ_only_in_place_are_equal(configured):
    first, second = chain_of(configured, "      - set: {A: b}\n      - set: {A: b}\n")
    assert first == second


def test_every_plugin_is_checked_once_and_what_is_found_joins_the_rest(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "listeners: {a: {bind: 127.0.0.1, chain: [one, one]}}\n"
        "plugins: {one: {use: set}, two: {use: skip}}\n"
        "destinations: {own: {type: 'own.py:Own'}}\n"
        "routes: [{name: a, to: own}]\n"
    )
    asked = []

    def check(use):
        asked.append(use.use)
        return [Mistake(use.position, use.path, "odd", "lint")] if use.use == "skip" else []

    config = load(tmp_path / "config.yaml", check_plugin=check)
    assert sorted(asked) == ["own.py:Own", "set", "skip"]
    assert [lint.path for lint in config.lints] == ["plugins.two"]


@pytest.mark.parametrize(
    ("chain", "mistake"),
    [
        ("5", "routes.a.chain: expected a plugin's name, or `name: options`, not 5"),
        (
            "{set: {A: b}, whn: {Modality: CT}}",
            "routes.a.chain.whn: unknown key 'whn', did you mean 'when'?",
        ),
        (
            "[[]]",
            "routes.a.chain[0]: expected a plugin's name, or `name: options`, not a list",
        ),
        (
            "[5]",
            "routes.a.chain[0]: expected a plugin's name, or `name: options`, not 5",
        ),
        (
            "[odd]",
            "routes.a.chain[0]: unknown plugin 'odd'; known here: keep, remove, set, skip, store",
        ),
        (
            "[{set: {A: b}, timeout: 5 x}]",
            "routes.a.chain[0].timeout: unknown unit 'x'; known here: ms, s, min, h, d",
        ),
        (
            "[set: {A: [007]}]",
            'routes.a.chain[0].set.A[0]: is a number here; quote it: "007"',
        ),
    ],
)
def test_a_chain_that_cannot_be_read_says_why(mistakes, chain, mistake):
    (found,) = mistakes(f"{DESTINATIONS}routes:\n  - {{name: a, to: vna, chain: {chain}}}\n")
    assert found.split(": ", 1)[1] == mistake
