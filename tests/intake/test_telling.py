"""Whether the log says whose the instances are that arrive: only where it is told to."""

import logging

import pytest

from router.config import load
from router.testing import RouterUnderTest, make_dataset

CONFIG = """\
listeners: {{main: {{port: 0, bind: 127.0.0.1}}}}
destinations: {{vna: {{type: folder, directory: ./vna}}}}
routes: [{{name: ct, when: {{Modality: CT}}, to: vna}}]
logging: {{level: debug, patient_data: {named}}}
spool: {{keep_free: 1 KiB}}
"""
PATIENT = {"PatientID": "PID 4711", "AccessionNumber": "ACC0815", "PatientName": "Doe^Jane"}


@pytest.fixture
def told(tmp_path, caplog):
    """What is logged while a CT is delivered and an MR refused; and the two."""

    def send(named):
        caplog.set_level(logging.DEBUG, "router")
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG.format(named=named))
        accepted, refused = (make_dataset(Modality=each, **PATIENT) for each in ("CT", "MR"))
        with RouterUnderTest(path, load(path)) as router:
            statuses = [answer.status for answer in router.send(accepted, refused)]
            assert statuses == [0x0000, 0x0124]
            assert router.delivery(accepted.SOPInstanceUID).state == "delivered"
        return [record.getMessage() for record in caplog.records], accepted, refused

    return send


def test_it_does_not_by_default(told):
    lines, _, refused = told("false")
    assert any("instance.refused" in line and refused.SOPInstanceUID in line for line in lines)
    assert [line for line in lines if any(value in line for value in PATIENT.values())] == []


def test_with_patient_data_each_has_a_line_that_says_whose_it_is(told):
    lines, accepted, refused = told("true")
    arrived = [line for line in lines if line.startswith("instance.arrived ")]
    assert [line.partition(" sop_instance=")[2] for line in arrived] == [
        f"{each.SOPInstanceUID} study_instance={each.StudyInstanceUID} "
        "patient_id='PID 4711' accession_number=ACC0815"
        for each in (accepted, refused)
    ]
    assert [line for line in lines if "4711" in line] == arrived
    assert not [line for line in lines if "Doe" in line]
    assert any(f"sop_instance={accepted.SOPInstanceUID}" in line for line in lines
               if line.startswith("delivery.delivered "))  # fmt: skip
