"""The status page, the metrics and the health check, asked over real HTTP."""

import http.client
import json
import re
import socket
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from router.config import load
from router.operate.words import needs_attention
from router.testing import Answer, Archive, RouterUnderTest, make_dataset
from router.testing.routers import store
from router.wire import Peer, connect
from tests.conftest import REPOSITORY
from tests.story.peers import RunningRouter

CONFIG = """\
listeners:
  main: {{port: 0, bind: 127.0.0.1}}
destinations:
  "<b>vna</b>": {{type: folder, directory: ./vna}}
  pacs: {{ae_title: PACS, host: 127.0.0.1, port: 1, retry: {{first: 1 h, longest: 1 h}}}}
routes:
  - {{name: all, when: {{Modality: CT}}, to: ["<b>vna</b>", pacs]}}
spool: {{keep_free: {keep_free}}}
web: {web}
"""


def located(router):
    """The router, with where its page is as its `web`."""
    address = router.ask("status")["web"]["address"]
    router.web = int(address.rstrip("/").rpartition(":")[2])
    return router


@pytest.fixture
def run(run_router):
    def start(web="{port: 0}", keep_free="1 KiB"):
        return located(run_router(CONFIG.format(web=web, keep_free=keep_free)))

    return start


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The port of a router that nothing happens to: it is only looked at."""
    config = CONFIG.format(web="{port: 0, hosts: [router.hospital]}", keep_free="1 KiB")
    router = RunningRouter(tmp_path_factory.mktemp("web"), config)
    try:
        yield located(router.start()).web
    finally:
        router.close()


def associate(router, to="main"):
    peer = Peer("127.0.0.1", router.port(to), "ROUTER", "SENDER")
    offered = (CTImageStorage, "1.2.840.10008.1.1")
    return connect(peer, [(each, [ExplicitVRLittleEndian]) for each in offered])


def send(router, *datasets, to="main"):
    """In one association; the statuses answered."""
    association = associate(router, to)
    statuses = [store(association, dataset).status for dataset in datasets]
    association.release()
    return statuses


def ask(port, path="/", method="GET", host="127.0.0.1", **headers):
    """(status, headers, text) of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def raw(port, sent, wait=30):
    """What is answered to these bytes until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        found = b""
        try:
            connection.sendall(sent)
            while more := connection.recv(65536):
                found += more
        except (BrokenPipeError, ConnectionResetError):
            pass
        return found


def metrics(port):
    """Every sample, by its name and the values of its labels."""
    _, _, text = ask(port, "/metrics")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def reload(router, text):
    """Whether this configuration is in effect, which the router may have seen by itself."""
    router.config.write_text(text)
    return router.ask("reload")["result"] != "refused"


class Page(HTMLParser):
    """What is on the page: its texts by element, and what a browser might run or fetch."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.tags, self.links = [], {}, set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag not in ("meta", "link"):
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data


def test_the_page_says_what_status_says_and_needs_no_script(run):
    router = run()
    router.ask("pause", destination="pacs")
    status, headers, text = ask(router.web)
    page = Page(text)
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.open == []
    found = needs_attention(router.ask("status"))
    assert found == ["pacs is paused; nothing waits (dicom-router resume pacs)"]
    assert page.texts["li"] == found
    assert page.tags & {"script", "iframe", "form", "img", "b"} == set()
    assert [link for link in page.links if not link.startswith(("data:", "/"))] == []
    rows = " ".join(page.texts["tr"])
    for told in ("<b>vna</b>", "PACS@127.0.0.1:1", "paused", "main", "any AE title"):
        assert told in rows
    assert "Nothing needs attention" not in text
    router.ask("resume", destination="pacs")


def test_what_the_page_may_do_is_said_strictly(page):
    _, headers, text = ask(page)
    policy = headers["Content-Security-Policy"]
    [style] = Page(text).texts["style"]
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Access-Control-Allow-Origin"] is None


def test_a_refused_reload_is_on_the_page_and_in_the_metrics(run, wait_until):
    router = run()
    first = metrics(router.web)
    assert first["dicom_router_config_in_effect",] == 1
    text = router.config.read_text()
    assert not reload(router, f"{text}rotues: []\ntimezone: Berlin\n")
    wait_until(lambda: metrics(router.web)["dicom_router_config_in_effect",] == 0, timeout=60)
    said = " ".join(Page(ask(router.web)[2]).texts["p"])
    assert "unknown key 'rotues'" in said
    assert "unknown time zone 'Berlin'" in said
    assert metrics(router.web)["dicom_router_reloads_total", "refused"] >= 1
    assert reload(router, f"{text}timezone: UTC\n")
    wait_until(lambda: metrics(router.web)["dicom_router_config_in_effect",] == 1, timeout=60)
    then = metrics(router.web)
    assert then["dicom_router_generation",] > first["dicom_router_generation",]
    when = ("dicom_router_config_applied_timestamp_seconds",)
    assert then[when] > first[when]


def test_what_comes_and_goes_is_counted(run, wait_until):
    router = run()
    assert metrics(router.web)["dicom_router_instances_received_total", "main"] == 0
    send(router, make_dataset(Modality="CT"), make_dataset(Modality="CT"))
    send(router, make_dataset(Modality="MR"))
    vna, tries = "<b>vna</b>", "dicom_router_delivery_attempts_total"
    wait_until(lambda: metrics(router.web)[tries, vna, "delivered"] == 2, timeout=60)
    wait_until(lambda: metrics(router.web)["dicom_router_destination_up", "pacs"] == 0, timeout=60)
    wait_until(
        lambda: metrics(router.web)["dicom_router_deliveries", "pacs", "waiting"] == 2, timeout=60
    )
    found = metrics(router.web)
    assert found["dicom_router_instances_received_total", "main"] == 2
    assert found["dicom_router_received_bytes_total", "main"] > 0
    assert found["dicom_router_instances_refused_total", "main", "0x0124"] == 1
    assert found["dicom_router_associations_accepted_total", "main"] == 2
    assert found["dicom_router_copies_total", "all", "processed"] == 2
    assert found["dicom_router_delivered_bytes_total", vna] > 0
    assert found["dicom_router_oldest_waiting_seconds", "pacs"] > 0
    assert found["dicom_router_destination_up", vna] == 1
    assert found["dicom_router_spool_instances",] == 2


def test_nothing_of_a_patient_or_a_study_is_told(run, wait_until):
    router = run()
    known = {
        "PatientName": "Doe^Jane", "PatientID": "PID4711", "AccessionNumber": "ACC0815",
        "StudyDescription": "SECRETSTUDY",
    }  # fmt: skip
    accepted = make_dataset(Modality="CT", **known)
    refused = make_dataset(Modality="MR", **known)
    send(router, accepted, refused)
    wait_until(lambda: metrics(router.web)["dicom_router_destination_up", "pacs"] == 0, timeout=60)
    told = "".join(ask(router.web, path)[2] for path in ("/", "/metrics", "/status.json"))
    assert "0x0124" in told
    uids = [each[name].value for each in (accepted, refused)
            for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]  # fmt: skip
    assert [value for value in (*known.values(), *uids) if value in told] == []
    assert "SENDER" not in ask(router.web, "/metrics")[2]  # whoever calls may call himself anything


def test_what_a_destination_says_is_not_told_but_by_its_status(run_router, wait_until):
    said = "Doe^Jane does not fit"
    with Archive("PACS") as archive:
        archive.answer(Answer(0xC000, said), Answer(0xA700, said))
        once = "associations: 1, retry: {first: 1 h, longest: 1 h}"
        router = located(
            run_router(
                "listeners:\n"
                "  main: {port: 0, bind: 127.0.0.1}\n"
                "  waits: {port: 0, bind: 127.0.0.1, acknowledge: delivered}\n"
                f"destinations: {{pacs: {archive.destination[:-1]}, {once}}}}}\n"
                "routes: [{name: all, to: pacs}]\n"
                "spool: {keep_free: 1 KiB}\n"
                "web: {port: 0}\n"
            )
        )
        assert send(router, make_dataset(), to="waits") == [0xC000]
        assert send(router, make_dataset()) == [0x0000]
        wait_until(lambda: router.ask("status")["outages"], timeout=60)
        wait_until(lambda: metrics(router.web)["dicom_router_destination_up", "pacs"] == 0, 60)
        assert json.dumps(router.ask("status")).count(said) == 3  # refused, failing, down
        told = "".join(ask(router.web, path)[2] for path in ("/", "/metrics", "/status.json"))
        assert "Doe^Jane" not in told
        assert "0xC000: what a destination answered; the sender must send again" in told
        assert "status 0xA700; 2 instances of 2 studies" in told


def test_metrics_come_as_open_metrics_where_that_is_wanted(page):
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    status, headers, text = ask(page, "/metrics", Accept=accept)
    assert (status, headers.get_content_type()) == (200, "application/openmetrics-text")
    names = {family.name for family in open_metrics(text)}
    assert {"dicom_router_instances_received", "process_open_fds"} <= names
    _, headers, text = ask(page, "/metrics", Accept="application/openmetrics-text;version=x")
    assert headers.get_content_type() == "application/openmetrics-text"
    assert ask(page, "/metrics", Accept="text/html")[1].get_content_type() == "text/plain"


def test_every_metric_is_documented_with_its_labels_and_no_other(page):
    """As far as there is something to be counted."""
    text = (REPOSITORY / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\| ", text, re.MULTILINE)
    described = {f"dicom_router_{name}": set(re.findall(r"`(\w+)`", by)) for name, by in rows}
    families = list(text_string_to_metric_families(ask(page, "/metrics")[2]))
    ours = [each for each in families if each.name.startswith("dicom_router_")]
    named = {f"{each.name}_total" if each.type == "counter" else each.name for each in ours}
    assert named == described.keys()
    for family in ours:
        for sample in family.samples:
            name = sample.name if sample.name in described else family.name
            assert sample.labels.keys() == described[name]


def test_status_json_is_what_the_command_prints(run):
    router = run()
    printed = json.loads(router.command("status", "--json").stdout)
    found = json.loads(ask(router.web, "/status.json")[2])
    assert found.keys() == printed.keys()
    changing = {"space", "summary"}
    assert {k: v for k, v in found.items() if k not in changing} == {
        k: v for k, v in printed.items() if k not in changing
    }


def test_health_is_well_while_instances_are_accepted(page):
    assert ask(page, "/health")[::2] == (200, "ok\n")
    assert ask(page, "/live")[::2] == (200, "ok\n")


def test_health_is_ill_once_the_spool_has_failed(tmp_path, free_port, wait_until):
    port = free_port()
    (tmp_path / "config.yaml").write_text(f"web: {{port: {port}}}\nspool: {{keep_free: 1 KiB}}\n")
    with RouterUnderTest(tmp_path / "config.yaml", load(tmp_path / "config.yaml")) as router:
        assert ask(port, "/live")[0] == 200
        router._node.spool._health.fail("the disk is gone")
        for path in ("/health", "/live"):
            wait_until(lambda path=path: ask(port, path)[0] == 503, timeout=60)
            assert ask(port, path)[2].startswith("nothing more is accepted: the disk is gone")


def test_health_is_ill_while_the_disk_is_full_and_a_restart_would_not_help(run):
    router = run(keep_free="1000000 GiB")
    status, _, text = ask(router.web, "/health")
    assert status == 503
    assert text.startswith("disk full: ")
    assert ask(router.web, "/live")[0] == 200


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "Router.Hospital", socket.gethostname()]
)
def test_it_answers_to_addresses_and_to_names_it_knows(page, host):
    assert ask(page, host=host)[0] == 200


@pytest.mark.parametrize("path", ["/", "/metrics", "/status.json", "/health", "/live", "/other"])
def test_it_answers_to_no_name_that_a_web_site_could_have_made_up(page, path):
    for host in ("evil.example", "127.0.0.1.evil.example", "router.hospital.evil", "", "[", "a@b"):
        assert ask(page, path, host=host)[0] == 421


def test_it_can_only_be_read(page):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        status, headers, _ = ask(page, "/", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
    status, headers, text = ask(page, "/", "HEAD")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/../config.yaml", "//", "/%2e%2e/x", "/Metrics", "http://127.0.0.1/"]
)
def test_there_are_no_other_paths(page, path):
    assert ask(page, path)[0] == 404


def test_who_is_not_in_its_networks_is_not_answered(run):
    port = run("{port: 0, networks: [10.0.0.0/8]}").web
    assert raw(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"x" * 100_000, b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n", b"200"),
        (b"GET / HTTP/1.0\r\n\r\n", b"421"),
    ],
)
def test_what_is_no_request_is_told_so(page, sent, answer):
    assert raw(page, sent).split(b" ")[1] == answer


def test_silent_and_slow_connections_keep_neither_page_nor_router_from_answering(run):
    router = run()
    crowd = []
    try:
        for number in range(500):
            crowd.append(socket.create_connection(("127.0.0.1", router.web), timeout=30))
            if number % 2:
                crowd[-1].sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert ask(router.web, "/health")[0] == 200
        association = associate(router)
        assert association.echo().status == 0
        association.release()
        assert metrics(router.web)["process_open_fds",] < 300
    finally:
        for each in crowd:
            each.close()


def test_one_that_never_ends_its_request_is_closed(page):
    assert raw(page, b"GET / HTTP/1.1\r\n") == b""


def test_a_reload_opens_moves_and_closes_it(run, free_port):
    router = run()
    text = router.config.read_text()
    assert "web: {port: 0}" in text

    def changed(web):
        done = reload(router, text.replace("web: {port: 0}", web))
        return done, router.ask("status")["web"]["address"]

    port, other = free_port(), free_port()
    assert changed(f"web: {{port: {port}}}") == (True, f"http://127.0.0.1:{port}/")
    assert ask(port, "/health")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(router.web)
    everywhere = f"web: {{port: {port}, bind: 0.0.0.0}}"
    assert changed(everywhere) == (True, f"http://127.0.0.1:{port}/")
    assert ask(port, "/health")[0] == 200
    with socket.create_server(("127.0.0.1", other)):
        assert changed(f"web: {{port: {other}}}") == (False, f"http://127.0.0.1:{port}/")
    assert ask(port, "/health")[0] == 200
    assert changed(f"web: {{port: {port}, bind: 0.0.0.0, hosts: [a.b]}}")[0]
    assert ask(port, host="a.b")[0] == 200
    assert changed("") == (True, "")
    with pytest.raises(ConnectionRefusedError):
        ask(port)


def test_a_port_that_is_taken_keeps_no_router_from_running(run_router, free_port, wait_until):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        router = run_router(CONFIG.format(web=f"{{port: {port}}}", keep_free="1 KiB"))
        [said] = needs_attention(router.ask("status"))
        where = f"127.0.0.1 port {port}"
        assert said == (
            f"there is no status page: web cannot listen on {where}: Address already in use"
        )
        text = router.config.read_text()
        assert reload(router, f"{text}timezone: UTC\n")  # what is missing hinders nothing
    wait_until(lambda: router.ask("status")["web"]["address"], timeout=60)
    assert ask(port, "/health")[0] == 200
    assert needs_attention(router.ask("status")) == []


def test_it_begins_and_ends_with_the_router(run, wait_until):
    router = run()
    told = f"shows how it stands at http://127.0.0.1:{router.web}/"
    wait_until(lambda: told in router.log.read_text(), timeout=60)
    assert ask(router.web, "/health")[0] == 200
    assert router.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        ask(router.web)
    assert "Traceback" not in router.log.read_text()


def test_nothing_is_loaded_or_listened_on_without_it(run_router):
    code = (
        "import sys; import router.operate.node; "
        "print([name for name in sys.modules if name in ('h11', 'prometheus_client')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n"
    router = run_router("listeners: {main: {port: 0, bind: 127.0.0.1}}\n")
    assert router.ask("status")["web"] == {"address": "", "missing": ""}
