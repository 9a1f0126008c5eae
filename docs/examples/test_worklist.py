"""The corrector against a real worklist provider, in a chain and in a whole router."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import ModalityWorklistInformationFind
from worklist import Worklist

from router.testing import make_dataset

HERE = Path(__file__).parent


class Ris:
    """Answers with the orders of the accession number; `status` instead, if that is set."""

    def __init__(self) -> None:
        self.orders: list[Dataset] = []
        self.status = 0
        self.asked: list[str] = []
        self._ae = AE("RIS")
        self._ae.add_supported_context(ModalityWorklistInformationFind)
        self._server = self._ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, self._find)]
        )
        self.port = self._server.socket.getsockname()[1]

    def order(self, accession_number: str, **elements: str) -> None:
        made = Dataset()
        made.AccessionNumber = accession_number
        for keyword, value in elements.items():
            setattr(made, keyword, value)
        self.orders.append(made)

    def close(self) -> None:
        self._ae.shutdown()

    def _find(self, event):
        self.asked.append(event.identifier.AccessionNumber)
        if self.status:
            yield self.status, None
            return
        for order in self.orders:
            if order.AccessionNumber == event.identifier.AccessionNumber:
                yield 0xFF00, order


@pytest.fixture
def ris():
    made = Ris()
    yield made
    made.close()


@pytest.fixture
def chain(ris, dicom_chain):
    return dicom_chain(
        f"[{{worklist.py:Worklist: {{host: 127.0.0.1, port: {ris.port}, ae_title: RIS}}}}]",
        files=[HERE / "worklist.py"],
    )


def test_patient_and_study_become_those_of_the_order(chain, ris):
    ris.order("A1", PatientName="Doe^Jane", PatientID="42", StudyInstanceUID="1.2.3")
    made = chain.run(make_dataset(AccessionNumber="A1", PatientName="Do^Jan", PatientSex="F"))
    assert made.state == "processed"
    assert (made.dataset.PatientName, made.dataset.PatientID) == ("Doe^Jane", "42")
    assert made.dataset.StudyInstanceUID == "1.2.3"
    assert made.dataset.PatientSex == "F", "the order does not say"


def test_a_name_keeps_its_character_set(chain, ris):
    ris.order("A1", SpecificCharacterSet="ISO_IR 192", PatientName="M\u00fcller^J\u00f6rg",
              PatientID="42")  # fmt: skip
    latin = {"SpecificCharacterSet": "ISO_IR 100", "StudyDescription": "Sch\u00e4del"}
    made = chain.run(make_dataset(AccessionNumber="A1", **latin))
    assert made.dataset.PatientName == "M\u00fcller^J\u00f6rg"
    assert made.dataset.StudyDescription == "Sch\u00e4del"


def test_the_worklist_is_asked_once_for_the_images_of_an_order(chain, ris):
    ris.order("A1", PatientID="42")
    for _ in range(3):
        assert chain.run(make_dataset(AccessionNumber="A1")).dataset.PatientID == "42"
    assert ris.asked == ["A1"]


@pytest.mark.parametrize(
    ("accession_number", "reason"),
    [
        ("A9", "the worklist has no order with its Accession Number"),
        ("A2", "the worklist has 2 orders with its Accession Number"),
        ("", "it has no Accession Number to ask the worklist for"),
    ],
)
def test_what_cannot_be_told_is_held(chain, ris, accession_number, reason):
    ris.order("A2", PatientID="1")
    ris.order("A2", PatientID="2")
    held = chain.run(make_dataset(AccessionNumber=accession_number))
    assert (held.state, held.reason, held.retry_after) == ("held", reason, None)


def test_a_worklist_that_fails_is_asked_again_later(chain, ris):
    ris.status = 0xA700
    held = chain.run(make_dataset(AccessionNumber="A1"))
    assert (held.reason, held.retry_after) == ("the worklist answered 0xA700", 60)
    ris.close()
    held = chain.run(make_dataset(AccessionNumber="A1"))
    assert (held.reason, held.retry_after) == ("the worklist cannot be reached", 60)


def test_an_instance_without_a_patient_id_is_held(ris, dicom_instance):
    with pytest.raises(Exception, match="neither the modality nor the worklist"):
        Worklist("127.0.0.1", ris.port, "RIS").verify_instance(dicom_instance(PatientID=None))
