"""`dicom-router test`: a configuration's own examples, and the one it ships with."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.operate.cli import main
from tests.conftest import REPOSITORY
from tests.story.sending import generate

SITE = """\
listeners: {main: {port: 0, bind: 127.0.0.1, accept: {networks: [127.0.0.1]}}}
destinations:
  vna: {type: folder, directory: ./vna}
  pacs: {ae_title: PACS, host: 127.0.0.1, port: 104}
routes:
  - {name: all, to: [vna]}
  - name: research
    when: {StudyDescription: "*RESEARCH*"}
    chain:
      - skip: {ImageType: "*LOCALIZER*"}
      - set: {PatientName: "SUBJECT^{PatientID}"}
      - remove: [PatientBirthDate]
    to: [pacs]
"""
GOOD = """\
tests:
  - name: research leaves without names
    header:
      StudyDescription: RESEARCH 7
      PatientID: P1
      PatientName: "Yamada^Tarou=山田^太郎"
      PatientBirthDate: 19700101
      Rows: 512
      SliceThickness: 1.5
      ImageType: [ORIGINAL, PRIMARY]
      SOPClassUID: MR Image Storage
      RequestAttributesSequence.ScheduledProcedureStepID: S1
      "(0029,10,ACME)": private
    association: {calling_ae_title: CT1}
    expect:
      routes: [all, research]
      destinations: [pacs, vna]
      values:
        Rows: 512
        "(0029,10,ACME)": private
        RequestAttributesSequence.ScheduledProcedureStepID: S1
        all: {PatientName: "山田^太郎"}
        research: {PatientName: "SUBJECT^P1", PatientBirthDate: {exists: false}}
  - name: localizers are skipped
    header: {StudyDescription: RESEARCH 7, ImageType: [ORIGINAL, PRIMARY, LOCALIZER]}
    expect: {skipped: research, reason: "*`skip`*", destinations: [vna]}
  - name: without an ID it is held
    header: {StudyDescription: RESEARCH 7}
    expect: {held: [research], reason: "{PatientID} is missing*"}
  - name: strangers are refused
    association: {address: 192.168.1.1}
    expect: {refused: true, reason: network not accepted}
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object, tests: str = GOOD) -> Result:
    Path("config.yaml").write_text(SITE + tests)
    return CliRunner().invoke(main, ["test", *map(str, arguments)])


def failures(*expectations: str, header: str = "{}") -> list[tuple[int, str]]:
    """The line and message of each failure of one example; its expectations begin in line 18."""
    lines = "".join(f"      {each}\n" for each in expectations)
    tests = f"tests:\n  - name: one\n    header: {header}\n    expect:\n{lines}"
    done = run("--json", tests=tests)
    (found,) = json.loads(done.stdout)
    assert done.exit_code == (0 if found["passed"] else 1)
    return [
        (int(each["line"].partition(":")[2]) - 17, each["message"]) for each in found["failures"]
    ]


def test_examples_that_hold_pass():
    done = run()
    assert done.stdout.splitlines() == [
        "passed  research leaves without names",
        "passed  localizers are skipped",
        "passed  without an ID it is held",
        "passed  strangers are refused",
        "4 passed",
    ]
    assert done.exit_code == 0


def test_the_shipped_examples_own_tests_pass(home, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    done = CliRunner().invoke(main, ["test", "config.example.yaml"])
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "1 passed"), done.output


def test_a_failure_says_what_came_instead_in_its_line_of_the_file():
    tests = GOOD.replace("destinations: [pacs, vna]", "destinations: [pacs]")
    done = run(tests=tests)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:3] == [
        "FAILED  research leaves without names",
        "    config.yaml:30:7: destinations: expected pacs, got vna, pacs",
        "        destinations: [pacs]",
    ]
    assert done.stdout.endswith("3 passed, 1 failed\n")


def test_a_failure_shows_the_line_of_this_file_not_of_one_read_earlier_by_that_name(
    home, monkeypatch
):
    run(tests=GOOD.replace("destinations: [pacs, vna]", "destinations: [pacs]"))
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    done = run(
        tests="# another\n" + GOOD.replace("destinations: [pacs, vna]", "destinations: [vna]")
    )
    assert done.stdout.splitlines()[2] == "        destinations: [vna]"


@pytest.mark.parametrize(
    ("expectation", "header", "message"),
    [
        ("routes: [all, research]", "{}", "routes: expected all, research, got all"),
        ("destinations: []", "{}", "destinations: expected none, got vna"),
        ("refused: true", "{}", "it is let in"),
        ("skipped: [research]", "{}", "skipped: expected research, got none"),
        ("values: {Modality: CT}", "{Modality: MR}", "Modality: CT: 'MR' in what leaves by all"),
        ("values: {Modality: CT}", "{}", "Modality: CT: missing in what leaves by all"),
    ],
)
def test_every_kind_of_expectation_can_fail(expectation, header, message):
    assert failures(expectation, header=header) == [(1, message)]


def test_what_is_held_or_refused_without_being_expected_fails():
    ((_, held),) = failures("routes: [all, research]", header="{StudyDescription: RESEARCH}")
    why = "research: {PatientID} is missing or empty in this instance"
    assert held == f"held: expected none, got research ({why})"
    refused = failures("routes: [all]", header="{SOPClassUID: 1.2.840.10008.1.1}")
    assert [message for _, message in refused] == [
        "it is refused: its SOP class is not one that C-STORE brings (listeners.main)"
    ]


def test_a_file_is_taken_with_other_elements_where_they_are_given(home):
    (path,) = generate(home / "files", 1, PatientName="Secret^Name")
    tests = f"""\
tests:
  - name: as it is
    file: files/{path.name}
    expect: {{values: {{PatientName: "Nobody"}}}}
  - name: with other elements
    file: files/{path.name}
    header: {{StudyDescription: RESEARCH, PatientID: P2}}
    expect: {{values: {{research: {{PatientName: "SUBJECT^P2"}}}}}}
  - name: gone
    file: files/gone.dcm
    expect: {{}}
"""
    done = run(tests=tests)
    assert "Secret" not in done.stdout
    assert "PatientName: Nobody: something else in what leaves by all" in done.stdout
    assert "passed  with other elements" in done.stdout
    assert "file: No such file or directory" in done.stdout


def test_some_examples_are_chosen_by_their_name():
    assert run("-k", "LOCALIZERS").stdout == "passed  localizers are skipped\n1 passed, 3 not run\n"
    none = run("-k", "nothing")
    assert (none.exit_code, none.stderr) == (1, "no example has 'nothing' in its name\n")
    assert run(tests="").stderr == "there is no `tests:`\n"


def test_examples_may_be_in_a_file_of_their_own(home):
    (home / "examples.yaml").write_text(GOOD)
    done = run(tests="include: [examples.yaml]\n")
    assert done.stdout.endswith("4 passed\n")


def test_mistakes_in_examples_are_found_by_check(home):
    (home / "config.yaml").write_text(
        SITE
        + """\
tests:
  - name: one
    header: {PatientID: 12, RequestAttributesSequence: x, PatientNam: x, SOPClassUID: CT Imag}
    association: {listener: mains, address: here}
    expect: {routes: [al], destinations: [vn], held: reserch, values: {Modalty: CT, all: {Row: 1}}}
"""
    )
    checked = CliRunner().invoke(main, ["check"])
    assert checked.exit_code == 2
    found = [line.split(" ", 1)[1] for line in checked.stderr.splitlines() if ": tests" in line]
    for told in (
        'is a number here; quote it: "12"',
        "has VR SQ and cannot be given as text",
        "PatientNam is not a DICOM keyword; did you mean PatientName?",
        "'CT Imag' is neither a UID nor the name of one",
        "unknown listener 'mains', did you mean 'main'?",
        "'here' is not an address such as 10.1.4.7",
        "unknown route 'al', did you mean 'all'?",
        "unknown destination 'vn', did you mean 'vna'?",
        "unknown route 'reserch', did you mean 'research'?",
        "Modalty is not a DICOM keyword; did you mean Modality?",
        "Row is not a DICOM keyword",
    ):
        assert any(told in line for line in found), (told, found)
    assert len(found) == 11
