"""The model: defaults, paths, frozenness, what each value may be."""

import math
import pickle
from ipaddress import ip_network
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from router.config import (
    ConfigError,
    DicomDestination,
    FolderDestination,
    PluginDestination,
    load,
)


def test_what_is_left_out_has_its_default(configured, tmp_path):
    config = configured("listeners: {a: {}}")
    listener = config.listeners["a"]
    assert config.spool.directory == tmp_path / "spool"
    assert (config.spool.keep_free, config.spool.retain) == (5 << 30, 86400)
    assert (listener.ae_title, listener.port, listener.bind) == (("*",), 11112, "0.0.0.0")
    assert (listener.accept, listener.transfer_syntaxes) == (None, "all")
    assert config.timezone is None


def test_paths_are_relative_to_the_file_not_to_the_current_directory(tmp_path):
    (tmp_path / "config.yaml").write_text("destinations: {v: {type: folder, directory: vna}}")
    config = load(tmp_path / "config.yaml")
    assert config.destinations["v"].directory == tmp_path / "vna"


def test_each_type_of_destination_has_its_own_model(configured):
    config = configured(
        "destinations:\n"
        "  pacs: {ae_title: PACS, host: h, close_after: study, delivered_statuses: 0x0111}\n"
        "  vna: {type: folder, directory: ./vna}\n"
        "  own: {type: 'own.py:Own', options: {a: [1]}, chain: [set], object_tries: 5}\n"
    )
    pacs, vna, own = config.destinations.values()
    assert isinstance(pacs, DicomDestination)
    assert (pacs.close_after, pacs.delivered_statuses) == ("study", (0x0111,))
    assert (pacs.retry.longest, pacs.retry.hold_after) == (600, math.inf)
    assert isinstance(vna, FolderDestination)
    assert isinstance(own, PluginDestination)
    assert (own.plugin.name, own.plugin.use, own.plugin.options) == (
        "own",
        "own.py:Own",
        {"a": [1]},
    )
    assert (own.chain[0].plugin.use, own.object_tries) == ("set", 5)


def test_a_configuration_cannot_be_changed(configured):
    config = configured("timezone: Europe/Berlin")
    assert config.timezone == ZoneInfo("Europe/Berlin")
    with pytest.raises(ValidationError):
        config.timezone = None


def test_a_configuration_travels_to_other_processes(configured):
    config = configured(
        "destinations: {vna: {type: folder, directory: v}}\n"
        "routes: [{name: a, when: {Modality: CT, time: '07:00-18:00'}, to: vna}]\n"
    )
    assert pickle.loads(pickle.dumps(config)) == config


def test_networks_and_ae_titles_are_read(configured):
    config = configured(
        "peers: {ct: {calling_ae_titles: ' CT1 ', networks: [10.1.4.7, 'fd00::/8']}}\n"
        "listeners: {a: {bind: localhost, accept: {peers: ct}}}\n"
    )
    peer = config.peers["ct"]
    assert peer.calling_ae_titles == ("CT1",)
    assert peer.networks == (ip_network("10.1.4.7/32"), ip_network("fd00::/8"))
    assert config.listeners["a"].accept.peers == ("ct",)
    assert config.listeners["a"].bind == "127.0.0.1"


def test_transfer_syntaxes_are_known_by_name_keyword_and_uid(configured):
    config = configured(
        "listeners:\n  a:\n    transfer_syntaxes:\n"
        "      [JPEG Baseline (Process 1), ExplicitVRLittleEndian, 1.2.840.10008.1.2, 1.3.46.1]\n"
    )
    assert config.listeners["a"].transfer_syntaxes == (
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2",
        "1.3.46.1",
    )


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ('"   "', "an AE title is not only spaces"),
        ("A\\B", "an AE title is ASCII without backslash or control characters"),
        ('"A\\tB"', "an AE title is ASCII without backslash or control characters"),
        ("ÄTITLE", "an AE title is ASCII without backslash or control characters"),
        ("SEVENTEEN_LETTERS", "an AE title has at most 16 characters, 'SEVENTEEN_LETTERS' has 17"),
        ("12", 'is a number here; quote it: "12"'),
        ("[]", "is a list here"),
    ],
)
def test_an_ae_title_that_is_none_is_refused(mistakes, title, message):
    text = f"destinations: {{a: {{host: h, ae_title: {title}}}}}"
    assert mistakes(text) == [f"config.yaml:1:39: destinations.a.ae_title: {message}"]


def test_the_wildcard_address_takes_a_port_for_every_address(mistakes):
    listeners = "{a: {bind: '::', port: 104}, b: {bind: 127.0.0.1, port: 104}}"
    assert mistakes(f"listeners: {listeners}") == [
        "config.yaml:1:68: listeners.b.port: 127.0.0.1:104 is taken by listener 'a' already"
    ]


def test_any_free_port_may_be_asked_for_twice(configured):
    configured("listeners: {a: {bind: 127.0.0.1, port: 0}, b: {bind: 127.0.0.1, port: 0}}")


def test_what_the_loader_adds_cannot_be_written(mistakes):
    text = "destinations: {v: {type: folder, directory: v}}\nlints: []\n"
    route = "routes: [{name: a, to: v, position: 3}]\n"
    assert [line.partition("; known")[0] for line in mistakes(text + route)] == [
        "config.yaml:2:1: lints: unknown key 'lints', did you mean 'plugins'?",
        "config.yaml:3:27: routes.a.position: unknown key 'position'",
    ]


def test_all_mistakes_of_a_file_are_in_one_error(configured):
    with pytest.raises(ConfigError) as caught:
        configured("spool: {retain: 1}\ntimezone: Mars\nroutes: {a: 1}\n")
    assert [
        mistake.position.line for mistake in caught.value.mistakes if mistake.level == "error"
    ] == [1, 2, 3]
