"""What `explain` says of files: let in or not, which routes and why, what leaves for where."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.dataset import open_part10
from router.operate.cli import main
from tests.certificates import Authority
from tests.story.sending import generate

SITE = """\
spool: {directory: ./spool}
listeners:
  main:
    ae_title: ROUTER
    port: 0
    bind: 127.0.0.1
    accept: {calling_ae_titles: ["CT*", PACS], networks: [10.0.0.0/8]}
    transfer_syntaxes: [ExplicitVRLittleEndian]
destinations:
  vna: {type: folder, directory: ./vna}
  pacs: {ae_title: PACS, host: 10.9.9.9, port: 104}
  ai: {ae_title: AI, host: 10.1.1.1, port: 104, chain: [set: {InstitutionName: X}]}
routes:
  - name: research
    when:
      Modality: [CT, MR]
      StudyDescription: "*RESEARCH*"
    chain:
      - skip: {ImageType: "*LOCALIZER*"}
      - set: {PatientName: "SUBJECT^{PatientID}"}
      - remove: [PatientBirthDate]
        when: {Modality: MR}
      - store: {directory: ./archive}
    to: [pacs, ai]
  - name: again
    when: {Modality: CT}
    to: [pacs, vna]
  - name: rest
    when: otherwise
    to: [vna]
"""
SENT = ("--calling-ae-title", "CT1", "--address", "10.1.2.3")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.yaml").write_text(SITE)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def explain(*arguments: object) -> dict:
    (found,) = json.loads(run("explain", "site.yaml", *arguments, "--json").stdout)
    return found


@pytest.fixture
def research(home) -> Path:
    values = {"StudyDescription": "A RESEARCH B", "PatientBirthDate": "19700101"}
    return generate(home / "study", 1, PatientName="Secret^Name", **values)[0]


def test_the_text_tells_the_whole_way_and_no_value(research):
    done = run("explain", "site.yaml", research, *SENT)
    assert done.exit_code == 0, done.output
    for told in (
        "CT Image Storage, Explicit VR Little Endian, 2.",
        " kB; from CT1 at 10.1.2.3 to ROUTER\n",
        "let in by listener main\n",
        "+ route research  site.yaml:14\n",
        "applies: site.yaml:16 Modality: [CT, MR] holds: the value is (hidden)\n",
        "and: site.yaml:17 StudyDescription: *RESEARCH* holds: the value is (hidden)\n",
        "PatientName  PN  changed  by set\n",
        "lets it through",
        "changes 1 element",
        "not called here: it would keep the copy",
        "not asked: site.yaml:22 Modality: MR does not hold",
        "to pacs (PACS@10.9.9.9:104), as Explicit VR Little Endian, or as Implicit VR",
        "not to pacs (PACS@10.9.9.9:104): route research sends this SOP Instance UID there",
        "does not apply: research, again apply",
    ):
        assert told in done.stdout
    for value in ("Secret", "RESEARCH B", "19700101", "T-1"):
        assert value not in done.stdout


def test_values_are_shown_when_asked_for(research):
    done = run("explain", "site.yaml", research, *SENT, "--show-values")
    assert "Secret^Name -> SUBJECT^T-1" in done.stdout
    assert "holds: it is A RESEARCH B" in done.stdout
    found = explain(research, *SENT, "--show-values")
    assert found["routes"][0]["changes"] == [
        {
            "path": "PatientName",
            "vr": "PN",
            "plugins": ["set"],
            "change": "changed",
            "before": "Secret^Name",
            "after": "SUBJECT^T-1",
        }
    ]


def test_json_has_no_value_unless_asked_for(research):
    found = run("explain", "site.yaml", research, *SENT, "--json").stdout
    for value in ("Secret", "RESEARCH B", "19700101", "T-1"):
        assert value not in found


def test_nothing_is_kept_anywhere(home, research):
    before = sorted(home.rglob("*"))
    run("explain", "site.yaml", research, *SENT)
    assert sorted(home.rglob("*")) == before


def test_a_route_that_does_not_apply_names_the_first_condition_that_failed(home):
    (plain,) = generate(home / "plain", 1)
    research, _, _ = explain(plain, *SENT)["routes"]
    assert (research["applies"], research["state"]) == (False, "not applied")
    assert research["reasons"] == [
        {
            "line": "site.yaml:17",
            "condition": "StudyDescription: *RESEARCH*",
            "holds": False,
            "missing": True,
        }
    ]


@pytest.mark.parametrize(
    ("sender", "by", "reason"),
    [
        (("--calling-ae-title", "US1"), "listeners.main", "calling AE title not recognized"),
        (("--address", "192.168.0.1"), "listeners.main", "network not accepted"),
        (("--called-ae-title", "OTHER"), "listeners.main", "called AE title not recognized"),
    ],
)
def test_an_association_that_is_not_let_in_is_refused_and_explained_all_the_same(
    research, sender, by, reason
):
    done = run("explain", "site.yaml", research, *SENT, *sender)
    assert done.exit_code == 1
    assert f"association rejected: {reason} ({by})" in done.stdout
    assert "+ route research" in done.stdout


def test_a_transfer_syntax_the_listener_does_not_take_is_told(home, data):
    compressed = next((data / "wg04").rglob("MR3_J2KI"))
    (refused,) = explain(compressed, *SENT)["refused"]
    assert refused["reason"] == "its transfer syntax is not accepted"


def test_an_instance_never_goes_back_to_where_it_came_from(research):
    found = explain(research, "--calling-ae-title", "PACS", "--address", "10.9.9.9")
    (pacs, ai) = found["routes"][0]["leaving"]
    assert (pacs["destination"], pacs["left_out"]) == ("pacs", "it came from there")
    assert (ai["destination"], ai["left_out"]) == ("ai", None)
    assert ai["chain"]["changes"][0]["path"] == "InstitutionName"


def test_what_a_chain_holds_or_skips_is_told_with_its_reason(home):
    (held,) = generate(home / "held", 1, StudyDescription="RESEARCH", PatientID="")
    (skipped,) = generate(
        home / "skipped", 1, StudyDescription="RESEARCH", ImageType=["A", "LOCALIZER"]
    )
    done = run("explain", "site.yaml", held, *SENT)
    assert done.exit_code == 1
    why = "{PatientID} is missing or empty in this instance"
    assert f"held by set (rewrite_instance): {why}" in done.stdout
    # It may still turn out to be the one that goes to pacs.
    assert "not to pacs (PACS@10.9.9.9:104): it waits" in done.stdout
    done = run("explain", "site.yaml", skipped, *SENT)
    assert done.exit_code == 0
    assert "skipped by skip: it meets the condition of `skip`" in done.stdout


@pytest.mark.parametrize(
    ("unmatched", "told"),
    [
        ("refuse", "instance refused with 0x0124: no route takes it (routes)"),
        ("hold", "no route takes it: it would be held (unmatched)"),
        ("discard", "no route takes it: it would be discarded (unmatched)"),
    ],
)
def test_what_no_route_takes_needs_attention(home, research, unmatched, told):
    settings = SITE.replace("bind:", f"unmatched: {unmatched}\n    bind:")
    (home / "site.yaml").write_text(settings[: settings.index("  - name: again")])
    (plain,) = generate(home / "plain", 1)
    done = run("explain", "site.yaml", plain, *SENT)
    assert (done.exit_code, told in done.stdout) == (1, True)


def test_folders_and_bare_data_sets_are_read_and_other_files_get_a_line(home, research):
    part10 = open_part10(research)
    raw = research.read_bytes()[part10.dataset_offset :]
    (home / "study" / "raw").write_bytes(raw)
    (home / "study" / "notes.txt").write_text("no DICOM")
    done = run("explain", "site.yaml", "study", *SENT)
    assert done.exit_code == 1
    assert "study/notes.txt: not explained: is not a DICOM file" in done.stdout
    assert done.stdout.count("CT Image Storage, Explicit VR Little Endian") == 2


def test_a_listeners_own_chain_is_asked(home, research):
    (home / "own.py").write_text(
        "from router import Refusal, hookimpl\n"
        "class Own:\n"
        "    @hookimpl\n"
        "    def accept_instance(self, instance): return Refusal('not on Sundays', 0xA900)\n"
    )
    (home / "site.yaml").write_text(SITE.replace("port: 0", 'port: 0\n    chain: ["own.py:Own"]'))
    done = run("explain", "site.yaml", research, *SENT)
    assert done.exit_code == 1
    assert "instance refused with 0xA900: not on Sundays (listeners.main.chain" in done.stdout


def test_destinations_that_a_plugin_adds_are_named_with_the_plugin(home, research):
    (home / "own.py").write_text(
        "from router import hookimpl\n"
        "class Own:\n"
        "    @hookimpl\n"
        "    def forward_instance(self, instance): return ['vna', 'ai']\n"
    )
    changed = SITE.replace("    to: [pacs, vna]", '    chain: ["own.py:Own"]\n    to: [pacs]')
    (home / "site.yaml").write_text(changed)
    _, again, _ = explain(research, *SENT)["routes"]
    assert [(each["destination"], each["added_by"]) for each in again["leaving"]] == [
        ("pacs", None),
        ("vna", "own.py:Own"),
        ("ai", "own.py:Own"),
    ]


def test_fallbacks_are_told_in_the_order_they_take_over(home, research):
    falls = SITE.replace("port: 104}", "port: 104, fallback: ai}", 1).replace(
        "AI, host: 10.1.1.1", "AI, fallback: vna, host: 10.1.1.1"
    )
    (home / "site.yaml").write_text(falls)
    way, *_ = explain(research, *SENT)["routes"]
    assert [each["fallbacks"] for each in way["leaving"]] == [["ai", "vna"], ["vna"]]
    told = run("explain", "site.yaml", research, *SENT).stdout
    assert "while that is down, to its fallback ai, or if that is down too vna" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("site.yaml",), "Missing argument"),
        (("site.yaml", "gone.dcm"), "does not exist"),
        (("site.yaml", "site.yaml", "--listener", "other"), "there is no listener 'other'"),
        (("site.yaml", "site.yaml", "--address", "here"), "'here' does not appear to be"),
        (("broken.yaml", "site.yaml"), "broken.yaml:1:1"),
    ],
)
def test_wrong_usage_and_wrong_configurations_end_with_2(home, arguments, said):
    (home / "broken.yaml").write_text("rutes: []\n")
    done = run("explain", *arguments)
    assert (done.exit_code, said in done.output) == (2, True)


def test_temporary_files_are_gone_afterwards(home, research, monkeypatch):
    place = home / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    run("explain", "site.yaml", research, *SENT)
    assert os.listdir(place) == []


def test_who_may_have_to_show_something_is_explained_as_if_it_did(home, research):
    issued = Authority(home / "ca").issue("router")
    (home / "users").write_text("")
    tls = (
        f"tls: {{certificate: {issued.certificate}, key: {issued.key}, trust: ca/Hospital CA.pem}}"
    )
    site = SITE.replace("networks: [10.0.0.0/8]}", f"peers: [ct], user: users}}\n    {tls}")
    peer = '{certificate: "CN=CT1", sop_classes: [MRImageStorage]}'
    (home / "site.yaml").write_text(f"{site}peers: {{ct: {peer}}}\n")
    found = explain(research, *SENT)
    [refused] = found["refused"]
    assert (refused["by"], refused["reason"]) == (
        "peers.ct",
        "its `sop_classes` do not have this one",
    )
