"""What another configuration changes, in words."""

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.config import load, units
from router.config.differences import Homes, differences
from tests.config.conftest import SHIPPED

OLD = """\
spool: {directory: ./spool, retain: 1 d}
listeners:
  main: {ae_title: ROUTER, port: 11112, bind: 127.0.0.1}
peers: {ct: {networks: 10.1.4.7}, mr: {networks: 10.1.4.8}}
destinations:
  pacs: {ae_title: PACS, host: pacs.example, retry: {first: 5 s}, delivered_statuses: [0x0111]}
  vna: {type: folder, directory: ./vna}
plugins: {deid: {use: set, options: {PatientID: s3cret, PatientName: a}}}
routes:
  - name: research
    when: {Modality: CT, PatientID: P1}
    chain: [deid, set: {PatientComments: s3cret}]
    to: [vna]
  - {name: clinical, to: [pacs]}
alerts: {webhook: "http://pager.example/s3cret"}
"""


@pytest.fixture
def told(tmp_path):
    """What is different between OLD and OLD with some of its text replaced."""

    def compare(*replacements):
        (tmp_path / "old.yaml").write_text(OLD)
        text = OLD
        for before, after in replacements:
            assert before in text
            text = text.replace(before, after)
        (tmp_path / "new.yaml").write_text(text)
        old, new = (
            load(tmp_path / name, known_plugins=SHIPPED) for name in ("old.yaml", "new.yaml")
        )
        return [str(difference) for difference in differences(old, new)]

    return compare


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            "port: 11112",
            "port: 11113",
            "listener main: port: 11112 -> 11113; reopened; associations under way finish",
        ),
        (
            "ae_title: ROUTER,",
            "ae_title: [ROUTER, OLD],",
            "listener main: ae_title: now also OLD; for associations from now on",
        ),
        (
            "  main: {",
            "  other: {port: 0, bind: '::1'}\n  main: {",
            "listener other: is new: listens at ::1:0",
        ),
        (
            "host: pacs.example",
            "host: pacs2.example",
            "destination pacs: host: pacs.example -> pacs2.example; applies to what waits, too",
        ),
        (
            "{first: 5 s}",
            "{first: 90 s, hold_after: 1 d}",
            [
                "destination pacs: retry.first: 5 s -> 90 s; applies to what waits, too",
                "destination pacs: retry.hold_after: never -> 1 d; applies to what waits, too",
            ],
        ),
        (
            "[0x0111]",
            "[0x0111, 0x0112]",
            "destination pacs: delivered_statuses: now also 0x0112; applies to what waits, too",
        ),
        (
            "type: folder,",
            "type: folder, schedule: Mon-Fri 18:00-06:00, spool_limit: 5 GiB, bandwidth: 20 MB/s,",
            [
                "destination vna: schedule: [] -> [Mon-Fri 18:00-06:00]; "
                "applies to what waits, too",
                "destination vna: bandwidth: unlimited -> 20 MB/s; applies to what waits, too",
                "destination vna: spool_limit: unlimited -> 5 GiB; applies to what waits, too",
            ],
        ),
        (
            "{type: folder, directory: ./vna}",
            "{ae_title: VNA, host: vna.example}",
            "destination vna: type: folder -> dicom; applies to what waits, too",
        ),
        (
            "to: [vna]",
            "to: [vna, pacs]",
            "route research: now also goes to pacs; for associations from now on",
        ),
        (
            "to: [vna]",
            "to: [pacs]",
            "route research: now also goes to pacs, no longer goes to vna; "
            "for associations from now on",
        ),
        (
            "{Modality: CT,",
            "{Modality: [CT, MR],",
            "route research: when: Modality: CT, PatientID: (not shown) -> Modality: [CT, MR], "
            "PatientID: (not shown); for associations from now on",
        ),
        (
            "PatientID: P1",
            "PatientID: P2",
            "route research: when: Modality: CT, PatientID: (not shown), with other values; "
            "for associations from now on",
        ),
        (
            "chain: [deid, set: {PatientComments: s3cret}]",
            "chain: [set: {PatientComments: other}, keep: {Modality: CT}, deid]",
            "route research: chain: now also keep, set: PatientComments changed; "
            "for associations from now on",
        ),
        (
            "PatientID: s3cret",
            "PatientID: other",
            "plugin deid: options: PatientID changed; from now on",
        ),
        (
            "{networks: 10.1.4.7}, mr: {networks: 10.1.4.8}",
            "{networks: 10.1.4.0/24}",
            [
                "peer mr: is gone; for associations from now on",
                "peer ct: networks: now also 10.1.4.0/24, no longer 10.1.4.7/32; "
                "for associations from now on",
            ],
        ),
        (
            "directory: ./spool",
            "directory: /elsewhere",
            "spool: directory: {home}/spool -> /elsewhere; needs a restart of the router",
        ),
        ("retain: 1 d", "retain: 36 h", "spool: retain: 1 d -> 36 h; from now on"),
        ("example/s3cret", "example/other", "alerts: webhook: changed; from now on"),
        ("alerts:", "timezone: Asia/Tokyo\nalerts:", "timezone: local -> Asia/Tokyo; from now on"),
        ("alerts:", "web: {}\nalerts:", "web: is new: listens at 127.0.0.1:8080"),
        ("alerts:", "# a remark\n\nalerts:", []),
        ("retain: 1 d", "retain: 24 h", []),
    ],
)
def test_a_change_is_told_in_words_with_its_effect(told, tmp_path, before, after, words):
    expected = [words] if isinstance(words, str) else words
    assert told((before, after)) == [each.replace("{home}", str(tmp_path)) for each in expected]


def test_routes_in_another_order_are_told(told):
    clinical = "  - {name: clinical, to: [pacs]}\n"
    assert told((clinical, ""), ("routes:\n", f"routes:\n{clinical}")) == [
        "routes: in another order: clinical, research; the first counts; "
        "for associations from now on"
    ]


def test_what_is_gone_is_told(told):
    assert told(("  vna: {type: folder, directory: ./vna}\n", ""), ("to: [vna]", "to: [pacs]")) == [
        "destination vna: is gone; what waits for it is treated as its when_removed says",
        "route research: now also goes to pacs, no longer goes to vna; "
        "for associations from now on",
    ]


def test_the_status_page_may_change_and_go(tmp_path):
    pages = []
    for name, web in (("one", "{}"), ("other", "{port: 8081}"), ("none", "null")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"web: {web}\n")
        pages.append(load(path, known_plugins=SHIPPED))
    one, other, none = pages
    assert [str(each) for each in differences(one, other)] == [
        "web: port: 8080 -> 8081; from now on"
    ]
    assert [str(each) for each in differences(one, none)] == ["web: is gone; from now on"]


def test_no_secret_and_no_patient_is_shown(told):
    words = told(("s3cret", "other-s3cret"), ("PatientID: P1", "PatientID: P9"))
    assert len(words) == 4
    assert not any("s3cret" in each or "P9" in each or "P1" in each for each in words)


def test_other_values_in_a_list_are_told(tmp_path):
    def config():
        (tmp_path / "config.yaml").write_text(
            "destinations: {vna: {type: folder, directory: v}}\n"
            "routes: [{name: a, to: vna, when: {StationName: {file: l.csv, column: id}}}]\n"
        )
        return load(tmp_path / "config.yaml")

    (tmp_path / "l.csv").write_text("id\nCT1\n")
    old = config()
    (tmp_path / "l.csv").write_text("id\nCT2\n")
    (difference,) = differences(old, config())
    assert (difference.path, difference.kind) == ("routes.a.when", "changed")
    assert difference.words == "when: StationName: {file: l.csv, column: id}, with other values"


def test_the_same_file_in_another_directory_is_no_difference(tmp_path):
    configs = []
    for name in ("here", "there"):
        os.mkdir(tmp_path / name)
        (tmp_path / name / "config.yaml").write_text(OLD)
        configs.append(load(tmp_path / name / "config.yaml"))
    assert differences(*configs, Homes(tmp_path / "here", tmp_path / "there")) == ()
    assert [each.path for each in differences(*configs)] == [
        "spool.directory",
        "destinations.vna.directory",
    ]


def test_only_the_place_of_the_spool_needs_a_restart(told, tmp_path):
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(OLD.replace("./spool", "./other").replace("1 d", "2 d"))
    old, new = (load(tmp_path / name) for name in ("old.yaml", "new.yaml"))
    restarts = {each.path: each.needs_restart for each in differences(old, new)}
    assert restarts == {"spool.directory": True, "spool.retain": False}


@given(
    st.one_of(st.just(math.inf), st.integers(0, 10**7), st.integers(1, 999).map(lambda n: n / 8))
)
def test_amounts_are_told_as_they_would_be_read(amount):
    assert units.duration_or_never(units.duration_text(amount)) == pytest.approx(amount)
    whole = amount if math.isinf(amount) else int(amount)
    assert units.size_or_unlimited(units.size_text(whole)) == whole
    if amount:
        assert units.rate(units.rate_text(amount)) == pytest.approx(amount)
