"""An archive that answers every C-FIND with COUNT studies on PORT, as fast as it can.

No real one: those look for their matches, which would hide what passing them on costs.
"""

import sys
import threading

from router.wire import Acceptor, AcceptorLimits, QueryResponse, Session
from tests.query.scripted import encode


class Archive(Session):
    def __init__(self, count: int) -> None:
        self._matches = [
            encode(
                QueryRetrieveLevel="STUDY",
                StudyDate="20240305",
                AccessionNumber=f"A-{number}",
                RetrieveAETitle="PACS",
                ModalitiesInStudy="CT",
                StudyDescription="BENCHMARK",
                PatientName=f"Test^Patient {number}",
                PatientID=f"T-{number}",
                StudyInstanceUID=f"1.2.826.0.1.3680043.8.498.{number}",
                NumberOfStudyRelatedInstances="500",
            )
            for number in range(count)
        ]

    def open(self, _request: object) -> "Archive":
        return self

    def answer(self, offer) -> str:
        return offer.transfer_syntaxes[0]

    def query(self, _request, exchange) -> QueryResponse:
        for match in self._matches:
            exchange.send(QueryResponse(0xFF00, identifier=match))
        return QueryResponse(0)

    def ended(self, _how: str) -> None:
        pass


if __name__ == "__main__":
    archive = Archive(int(sys.argv[1]))
    Acceptor("127.0.0.1", int(sys.argv[2]), archive, AcceptorLimits()).start()
    threading.Event().wait()
