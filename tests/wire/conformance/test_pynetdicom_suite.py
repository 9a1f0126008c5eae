"""pynetdicom's own service tests, on our associations: they have to do what its own do."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import REPOSITORY

SERVICES = [
    "qr",
    "storage",
    "verification",
    "non_patient",
    "relevant_patient",
    "substance_admin",
]
TIMEOUT = 170  # seconds; a run takes 10 to 15

ASSOCIATION = "test_service_relevant_patient.TestRelevantPatientServiceClass.test_scp_handler_assoc"
ABORT = "test_service_verification.TestVerificationServiceClass.test_abort"

# Tests that fail, by the sides that are ours, and why that is not seen by a peer.
RELEASED_ELSEWHERE = (
    "releases the acceptor's association from the test's thread while its own waits for the peer; "
    "ours is one thread's, and others have `interrupt` only"
)
NOBODY_ANSWERS = (
    "releases from the acceptor's side and waits, on the very thread that is the requestor's; "
    "pynetdicom's requestor has another thread to answer with, ours answers when next used"
)
LOGGED_LATER = (
    "looks for a log line of the requestor's reactor thread; the A-ABORT is sent, received, and "
    "seen in `is_aborted`, which the test checks before"
)
KNOWN = {
    "": {},
    "scp,scu": {ASSOCIATION: RELEASED_ELSEWHERE, ABORT: LOGGED_LATER},
    "scp": {ASSOCIATION: RELEASED_ELSEWHERE},
    "scu": {ASSOCIATION: NOBODY_ANSWERS, ABORT: LOGGED_LATER},
}


def run(sides: str, report: Path) -> ElementTree.Element:
    """Run the tests in a process of their own: the plugin changes pynetdicom."""
    suite = Path(pytest.importorskip("pynetdicom.tests").__file__).parent
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--tb=short", "--config-file", os.devnull),
            *("--rootdir", suite, "--junit-xml", report, "--inline", sides),
            *("-p", "no:cacheprovider", "-p", "no:hypothesispytest"),
            *("-p", "tests.wire.conformance.plugin"),
            *(suite / f"test_service_{service}.py" for service in SERVICES),
        ],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert process.returncode in (0, 1), process.stdout + process.stderr
    print(process.stdout)
    return ElementTree.parse(report).getroot()


@pytest.mark.parametrize(
    "sides",
    [
        pytest.param("scp,scu", id="ours on both sides"),
        pytest.param("scp", id="our SCP, pynetdicom's SCU", marks=pytest.mark.soak),
        pytest.param("scu", id="pynetdicom's SCP, our SCU", marks=pytest.mark.soak),
        pytest.param("", id="pynetdicom alone", marks=pytest.mark.soak),
    ],
)
def test_all_service_tests_pass_but_those_known(sides, tmp_path):
    cases = list(run(sides, tmp_path / "report.xml").iter("testcase"))
    failed = {
        f"{case.get('classname')}.{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    assert len(cases) >= 230
    assert failed == set(KNOWN[sides])
