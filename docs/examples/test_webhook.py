"""The webhook against a real web server, told by a chain and by a whole router."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from webhook import Webhook

from router.testing import make_dataset

HERE = Path(__file__).parent


class Service:
    """Keeps what it is told, and answers what is in `answers` first."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.told.append((dict(self.headers), body))
                self.send_response(service.answers.pop(0) if service.answers else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/studies"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service():
    made = Service()
    yield made
    made.close()


def test_the_service_is_told_of_the_study_as_it_leaves(service, dicom_chain):
    chain = dicom_chain(
        f"- set: {{StudyInstanceUID: 1.2.9}}\n- webhook.py:Webhook: {{url: '{service.url}'}}",
        files=[HERE / "webhook.py"],
    )
    for series in ("1.5.1", "1.5.1", "1.5.2"):
        chain.run(make_dataset(SeriesInstanceUID=series, StudyInstanceUID="1.5"))
    chain.complete_study()
    [(_, body)] = service.told
    assert json.loads(body) == {
        "study_instance_uid": "1.2.9", "route": "test", "late": False, "instances": 3,
        "series": {"1.5.1": 2, "1.5.2": 1},
    }  # fmt: skip


def test_what_it_is_told_is_signed(service, dicom_chain):
    chain = dicom_chain(
        f"[{{webhook.py:Webhook: {{url: '{service.url}', secret: Key}}}}]",
        files=[HERE / "webhook.py"],
    )
    chain.run(make_dataset())
    chain.complete_study()
    [(headers, body)] = service.told
    assert headers["X-Signature"] == hmac.new(b"Key", body, hashlib.sha256).hexdigest()
    assert b"Example" not in body


def test_an_address_that_is_none_is_a_mistake():
    with pytest.raises(ValueError, match="https://"):
        Webhook("ai.example/studies")


def test_a_service_that_is_away_is_told_again(service, dicom_router):
    service.answers = [503, 500]
    router = dicom_router(
        f"""
        listeners: {{modalities: {{port: 0, bind: 127.0.0.1}}}}
        destinations: {{vna: {{type: folder, directory: ./vna}}}}
        routes:
          - name: ai
            chain: [{{webhook.py:Webhook: {{url: "{service.url}", retry_after: 0.2}}}}]
            to: [vna]
            study_quiet: 200 ms
        """,
        files=[HERE / "webhook.py"],
    )
    dataset = make_dataset()
    router.send(dataset)
    router.until(lambda: len(service.told) == 3, "the service is told until it says yes")
    assert len({body for _, body in service.told}) == 1
    router.until(lambda: not router.ask("status")["summary"]["studies"], "nothing is left to tell")
    assert "Nothing needs attention." in router.status()
