"""Lints: what a configuration without mistakes is told about, and what it is not."""

import os
import socket
from pathlib import Path

import pytest

from router.config import load
from router.config.passcodes import hashed
from router.operate.generation import read_config
from tests.certificates import Authority
from tests.config.conftest import SHIPPED

BEGINNING = """\
listeners: {main: {ae_title: ROUTER, bind: 127.0.0.1}}
destinations: {vna: {type: folder, directory: ./vna}, other: {type: folder, directory: ./other}}
"""


@pytest.fixture
def lints(configured):
    """The lints of a text, each as it is shown without its line."""
    return lambda text: [str(lint).replace("lint: ", "") for lint in configured(text).lints]


@pytest.fixture
def when_lints(lints):
    """The lints of a route with a condition, given on one line."""

    def read(when):
        routes = f"routes:\n  - name: a\n    when: {when}\n    to: [vna, other]\n"
        return [lint.partition(": routes.a.when: ")[2] for lint in lints(BEGINNING + routes)]

    return read


@pytest.mark.parametrize(
    ("when", "pair"),
    [
        (
            "{all: [{Modality: CT}, {Modality: [MR, PT]}]}",
            "both `Modality: CT` and `Modality: [MR, PT]`",
        ),
        ("{Modality: CT, not: {Modality: C*}}", "both `Modality: CT` and `not: {Modality: C*}`"),
        (
            '{Modality: CT, all: [{"(0008,0060)": MR}]}',
            "both `Modality: CT` and `(0008,0060): MR`",
        ),
        (
            "{Modality: {exists: false}, all: [{Modality: CT}]}",
            "both `Modality: {exists: false}` and `Modality: CT`",
        ),
        (
            '{all: [{SliceThickness: "< 1"}, {SliceThickness: ">= 1"}]}',
            "both `SliceThickness: < 1` and `SliceThickness: >= 1`",
        ),
        (
            "{time: '07:00-18:00', all: [{time: '20:00-06:00'}]}",
            "both `time: 07:00-18:00` and `time: 20:00-06:00`",
        ),
        (
            "{address: 10.0.0.0/8, all: [{address: 192.168.0.1}]}",
            "both `address: 10.0.0.0/8` and `address: 192.168.0.1`",
        ),
        (
            "{calling_ae_title: CT*, all: [{calling_ae_title: MR*}]}",
            "both `calling_ae_title: CT*` and `calling_ae_title: MR*`",
        ),
        (
            "{SliceThickness: 2, not: {SliceThickness: 1-3}}",
            "both `SliceThickness: 2` and `not: {SliceThickness: 1-3}`",
        ),
        (
            "{any: [{Modality: CT, not: {Modality: CT}}, {not: {Modality: {exists: true}}, all: "
            "[{Modality: MR}]}]}",
            "both `Modality: CT` and `not: {Modality: CT}`",
        ),
    ],
)
def test_a_route_whose_conditions_exclude_each_other_never_applies(when_lints, when, pair):
    assert when_lints(when) == [f"never applies: nothing meets {pair}: change one of them"]


@pytest.mark.parametrize(
    "when",
    [
        "{}",
        "{Modality: CT, not: {Modality: MR}}",
        "{all: [{ImageType: ORIGINAL}, {ImageType: PRIMARY}]}",  # has several values
        "{all: [{PatientName: DOE}, {PatientName: DOE^J*}]}",  # names match in several forms
        "{all: [{Modality: C*}, {Modality: '*T'}]}",
        "{all: [{SliceThickness: '<= 1'}, {SliceThickness: '>= 1'}]}",
        "{all: [{SourceImageSequence.Modality: CT}, {SourceImageSequence.Modality: MR}]}",
        "{time: '22:00-07:00', all: [{time: '06:00-08:00'}]}",
        "{called_ae_title: 'ROUT*', not: {called_ae_title: ROUTE}}",
        "{any: [{Modality: CT, not: {Modality: CT}}, {Modality: MR}]}",
    ],
)
def test_conditions_that_something_may_meet_are_not_told_about(when_lints, when):
    assert when_lints(when) == []


def test_a_route_for_an_empty_list_never_applies(when_lints, configured):
    configured("{}")
    Path("consent.csv").write_text("id,day\n")
    assert when_lints("{PatientID: {file: consent.csv, column: id}}") == [
        "never applies: nothing meets `PatientID: {file: consent.csv, column: id}`"
    ]


@pytest.mark.parametrize(
    "when",
    [
        "{called_ae_title: ARCHIVE}",
        "{called_ae_title: AR*, Modality: CT}",
        "{listener: guarded, calling_ae_title: MR1}",
        "{address: 10.2.0.0/16}",
        "{not: {any: [{listener: open}, {listener: guarded}]}}",
    ],
)
def test_a_route_for_whom_no_listener_lets_in_never_applies(lints, when):
    accept = "{calling_ae_titles: CT*, networks: 10.1.0.0/16}"
    home = "{networks: 127.0.0.0/8}"
    assert lints(
        "listeners:\n"
        f"  open: {{ae_title: ROUTER, bind: 127.0.0.1, accept: {home}}}\n"
        f"  guarded: {{ae_title: [GUARD, ROUTER], port: 104, accept: {accept}}}\n"
        "destinations: {vna: {type: folder, directory: ./vna}}\n"
        f"routes:\n  - {{name: a, to: vna, when: {when}}}\n"
    ) == [
        "config.yaml:6:30: routes.a.when: never applies: no listener lets in what it asks of the "
        "association: change either"
    ]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("", "when: {Modality: CT}", "routes.a, which has no `when`, takes everything"),
        ("when: {}", "when: {Modality: CT}", "routes.a, which always applies, takes everything"),
        (
            "when: {Modality: CT}",
            "when: {not: {Modality: CT}}",
            "the other routes together take everything",
        ),
    ],
)
def test_otherwise_never_applies_where_others_take_everything(lints, first, second, why):
    routes = (
        f"routes:\n  - name: a\n    to: vna\n    {first}\n"
        f"  - name: b\n    to: other\n    {second}\n"
        "  - name: rest\n    when: otherwise\n    to: other\n"
    )
    assert lints(BEGINNING + routes) == [
        f"config.yaml:11:11: routes.rest.when: never applies: {why}"
    ]


def test_a_step_that_no_instance_of_its_route_meets_is_told_about(lints):
    routes = (
        "routes:\n  - name: a\n    when: {Modality: CT}\n    to: [vna, other]\n    chain:\n"
        "      - set: {PatientID: x}\n        when: {Modality: MR}\n"
        "      - set: {PatientID: y}\n        when: {Modality: C?}\n"
    )
    assert lints(BEGINNING + routes) == [
        "config.yaml:8:9: routes.a.chain[0]: 'set' is never asked: the route takes nothing that "
        "meets this `when`"
    ]


def test_a_destination_that_one_instance_reaches_on_several_routes_is_told_about_once(lints):
    routes = (
        "routes:\n"
        "  - {name: a, when: {Modality: CT}, to: [vna, other]}\n"
        "  - {name: b, when: {StudyDescription: TRIAL}, to: vna}\n"
        "  - {name: c, when: {Modality: CT}, to: vna}\n"
    )
    assert lints(BEGINNING + routes) == [
        "config.yaml:5:52: routes.b.to: route 'a' leads to 'vna' too: an instance that takes both "
        "goes there once, as 'a' made it; 1 more route likewise"
    ]


def test_routes_that_no_instance_takes_together_may_share_a_destination(lints):
    routes = (
        "routes:\n"
        "  - {name: a, when: {Modality: CT, calling_ae_title: [CT1, CT2]}, to: [vna, other]}\n"
        "  - {name: b, when: {Modality: CT, calling_ae_title: [CT3]}, to: vna}\n"
        "  - {name: c, when: {Modality: MR}, to: vna}\n"
        "  - {name: d, when: otherwise, to: vna}\n"
    )
    assert lints(BEGINNING + routes) == []


def test_a_deidentified_copy_has_other_uids_and_may_go_where_the_original_goes(lints):
    routes = (
        "plugins: {deid: {use: 'site.py:Deidentify'}}\n"
        "routes: [{name: a, to: [vna, other]}, {name: b, chain: deid, to: vna}]\n"
    )
    assert lints(BEGINNING + routes) == []


def test_a_destination_nothing_uses_is_told_about(lints):
    assert lints(
        "listeners: {main: {bind: 127.0.0.1}}\n"
        "destinations:\n"
        "  pacs: {ae_title: PACS, host: pacs.example, fallback: second}\n"
        "  second: {ae_title: SECOND, host: second.example}\n"
        "  forgotten: {ae_title: OLD, host: old.example}\n"
        "routes: [{name: a, to: pacs}]\n"
    ) == [
        "config.yaml:5:3: destinations.forgotten: nothing uses it: name it in a route's `to`, or "
        "take it out"
    ]


FORWARDS = """\
from router import hookimpl
class Forward:
    @hookimpl
    def forward_instance(self, instance):
        return ["other"]
class Rewrite:
    @hookimpl
    def rewrite_instance(self, instance):
        pass
"""


@pytest.mark.parametrize(
    ("plugin", "told"),
    [("Forward", []), ("Rewrite", ["routes.a.to", "destinations.other"])],
)
def test_what_a_plugin_can_do_decides_about_an_empty_to_and_unused_destinations(
    tmp_path, plugin, told
):
    (tmp_path / "own.py").write_text(FORWARDS)
    (tmp_path / "config.yaml").write_text(
        "listeners: {main: {bind: 127.0.0.1}}\n"
        f"routes:\n  - {{name: a, chain: 'own.py:{plugin}', to: []}}\n  - {{name: b, to: vna}}\n"
        "destinations:\n  vna: {type: folder, directory: ./vna}\n"
        "  other: {type: folder, directory: ./other}\n"
    )
    assert [lint.path for lint in read_config(tmp_path / "config.yaml").lints] == told


OUTSIDE = """\
listeners: {main: {bind: 127.0.0.1}}
destinations:
  trial: {ae_title: TRIAL, host: trial.example, outside: true}
  inside: {type: folder, directory: ./inside, fallback: trial}
"""


@pytest.mark.parametrize(
    ("route", "where"),
    [
        ("{name: a, to: [trial]}", "'trial' is outside"),
        ("{name: a, to: [inside]}", "'trial', the fallback of 'inside', is outside"),
        (
            "{name: a, chain: {deidentify: {}, when: {Modality: CT}}, to: trial}",
            "'trial' is outside",
        ),
        ("{name: a, chain: {deidentify: {}}, to: trial}", None),
        ("{name: a, chain: site.py:SiteDeidentify, to: trial}", None),
    ],
)
def test_what_leaves_the_house_is_to_be_deidentified(tmp_path, route, where):
    (tmp_path / "config.yaml").write_text(f"{OUTSIDE}routes: [{route}]\n")
    known = {*SHIPPED, "deidentify"}
    lints = load(tmp_path / "config.yaml", known_plugins=known).lints
    told = [lint.message for lint in lints if "outside" in lint.message]
    message = (
        "and nothing deidentifies on the way: put `deidentify`, without a `when`, into the chain"
    )
    assert told == ([f"{where}, {message}"] if where else [])


def test_a_route_to_a_destination_and_its_fallback_is_told_about(lints):
    assert lints(
        "listeners: {main: {bind: 127.0.0.1}}\n"
        "destinations:\n"
        "  pacs: {ae_title: PACS, host: pacs.example, fallback: second}\n"
        "  second: {ae_title: SECOND, host: second.example}\n"
        "routes: [{name: a, to: [pacs, second]}]\n"
    ) == [
        "config.yaml:5:25: routes.a.to[0]: the route leads to 'pacs' and to its fallback 'second', "
        "which has everything already when it takes over: leave one of them out"
    ]


@pytest.mark.parametrize(
    ("bind", "host", "is_own"),
    [
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("10.1.4.7", "10.1.4.7", True),
        ("0.0.0.0", socket.gethostname(), True),
        ("10.1.4.7", "127.0.0.1", False),
        ("127.0.0.1", "pacs.example", False),
    ],
)
def test_a_destination_that_is_a_listener_of_the_router_is_told_about(lints, bind, host, is_own):
    told = lints(
        f"listeners: {{main: {{bind: {bind}, port: 104, accept: {{}}}}}}\n"
        f"destinations: {{pacs: {{ae_title: PACS, host: {host}}}}}\n"
        "routes: [{name: a, to: pacs}]\n"
    )
    message = "listener 'main' of this very router: what is sent there comes back"
    assert told == [f"config.yaml:2:22: destinations.pacs: {message}"] * is_own


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_a_secret_that_everybody_may_read_is_told_about(tmp_path, mode):
    (tmp_path / "secret").write_text("s3cret")
    os.chmod(tmp_path / "secret", mode)
    (tmp_path / "config.yaml").write_text(
        "listeners: {main: {bind: 127.0.0.1}}\nplugins: {a: {use: set, options: !file secret}}\n"
    )
    lints = load(tmp_path / "config.yaml").lints
    message = "everybody on this machine may read secret: chmod o-r secret"
    told = [("plugins.a.options", message)] if mode == 0o644 else []
    assert [(lint.path, lint.message) for lint in lints] == told


@pytest.mark.parametrize("acknowledge", ["delivered", "processed"])
def test_a_sender_that_waits_for_what_waits_for_it_is_told(lints, acknowledge):
    text = (
        f"listeners: {{main: {{bind: 127.0.0.1, acknowledge: {acknowledge}}}}}\n"
        "destinations: {pacs: {ae_title: PACS, host: pacs.example}}\n"
        "routes: [{name: a, to: [pacs], deliver: study_complete}]\n"
    )
    found = [lint for lint in lints(text) if "acknowledge_timeout" in lint]
    assert len(found) == (acknowledge == "delivered")


def test_a_copy_under_another_uid_is_another_instance(lints):
    chain = "[set: {SOPInstanceUID: 1.2.3}]"
    routes = f"routes: [{{name: a, to: [vna, other]}}, {{name: b, chain: {chain}, to: vna}}]\n"
    assert lints(BEGINNING + routes) == []


def test_thousands_of_routes_apart_by_sender_are_told_apart(lints):
    route = "  - {{name: r{0}, when: {{calling_ae_title: CT{0}, Modality: [CT, MR]}}, to: vna}}\n"
    routes = "".join(route.format(number) for number in range(500))
    both = "  - {name: both, when: {calling_ae_title: [CT7, CT8]}, to: [vna, other]}\n"
    (told,) = lints(f"{BEGINNING}routes:\n{routes}{both}")
    assert "route 'r7' leads to 'vna' too" in told


def test_secrets_that_others_can_read_are_told(lints, tmp_path):
    issued = Authority(tmp_path / "ca").issue("router")
    files = f"certificate: {issued.certificate}, key: {issued.key}, client_certificate: none"
    (tmp_path / "users").write_text(f"ct1:{hashed('x')}\n")
    (tmp_path / "users").chmod(0o600)
    rest = BEGINNING.partition("\n")[2] + "routes: [{name: a, to: [vna, other]}]\n"

    def told(tls):
        more = f", tls: {{{files}}}" if tls else ""
        text = f"listeners:\n  main: {{bind: 127.0.0.1, accept: {{user: users}}{more}}}\n"
        return [lint.partition(": ")[2] for lint in lints(text + rest)]

    assert told(tls=True) == []
    assert told(tls=False) == [
        "listeners.main.accept.user: without `tls` passcodes travel in clear text: give it `tls`"
    ]
    issued.key.chmod(0o644)
    (tmp_path / "users").chmod(0o644)
    assert told(tls=True) == [
        "listeners.main.accept.user: everybody on this machine may read users: chmod o-r users",
        "listeners.main.tls.key: everybody on this machine may read router.key: "
        "chmod o-r router.key",
    ]


def test_a_certificate_that_nobody_is_asked_for_is_told(lints):
    peers = 'peers: {ct1: {certificate: "DNS:ct1.hospital"}}\n'
    said = lints(BEGINNING + peers + "routes: [{name: a, to: [vna, other]}]\n")
    assert [each.partition(": peers")[2] for each in said] == [
        ".ct1.certificate: no listener has `tls` that asks for certificates: "
        "nobody is ever this peer"
    ]
