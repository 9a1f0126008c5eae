"""The conformance statement says what the configuration says, in the order of PS3.2."""

import re

import pytest
from click.testing import CliRunner

from router.operate.cli import main
from tests.certificates import Authority

SITE = """\
listeners:
  radiology:
    ae_title: [ROUTER, OLD]
    port: 11112
    bind: 127.0.0.1
    accept: {calling_ae_titles: ["CT*"], networks: [10.0.0.0/8], peers: all}
    transfer_syntaxes: [ExplicitVRLittleEndian, RLELossless]
    maximum_associations: 7
peers:
  ct1: {calling_ae_titles: [CT1], assume_character_set: ISO_IR 100}
destinations:
  pacs: {ae_title: PACS, host: pacs.example, port: 104, transfer_syntaxes: [JPEG2000Lossless]}
  vna: {type: folder, directory: ./vna}
routes:
  - {name: all, to: [pacs, vna]}
"""


@pytest.fixture
def statement(tmp_path):
    (tmp_path / "config.yaml").write_text(SITE)
    done = CliRunner().invoke(main, ["conformance", str(tmp_path / "config.yaml")])
    assert done.exit_code == 0, done.output
    return done.stdout


def section(statement: str, title: str) -> str:
    (found,) = (part for part in re.split(r"(?m)^#+ ", statement) if part.startswith(title))
    return found


def test_sections_are_those_of_ps3_2_annex_a(statement):
    assert re.findall(r"(?m)^## (\d) (.*)$", statement) == [
        ("1", "Conformance Statement Overview"),
        ("2", "Table of Contents"),
        ("3", "Introduction"),
        ("4", "Networking"),
        ("5", "Media Interchange"),
        ("6", "Support of Character Sets"),
        ("7", "Security"),
        ("8", "Annexes"),
    ]


def test_a_listener_says_who_may_do_what(statement):
    found = section(statement, "4.2.1 Listener radiology")
    for row in (
        "| AE title | ROUTER, OLD |",
        "| address | 127.0.0.1 port 11112 |",
        "| calling AE titles | CT* |",
        "| networks | 10.0.0.0/8 |",
        "| peers | all that are named |",
        "| associations at once | 7 |",
        "| RLE Lossless | 1.2.840.10008.1.2.5 |",
        "| 0x0124 | Refused: not authorised |",
    ):
        assert row in found
    assert "JPEG" not in found


def test_a_destination_says_what_it_proposes_and_what_answers_mean(statement):
    found = section(statement, "4.2.2 Destination pacs")
    assert "| called AE title | PACS |" in found
    assert "each: JPEG 2000 Image Compression (Lossless Only), the one it was received in" in found
    assert "| 0xA7xx, 0x0210 to 0x0213 |" in found
    assert "vna" not in found


def test_what_is_assumed_of_character_sets_and_every_storage_class_are_there(statement):
    assert "Objects of ct1 that name none are read as ISO_IR 100." in statement
    classes = section(statement, "8.1 Storage SOP Classes")
    assert "| CT Image Storage | 1.2.840.10008.5.1.4.1.1.2 |" in classes
    assert "Storage Commitment" not in classes


def test_every_table_has_as_many_cells_in_each_row(statement):
    for table in re.findall(r"(?m)(?:^\|.*\n)+", statement):
        assert len({len(re.split(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_security_says_where_tls_and_users_are(tmp_path):
    authority = Authority(tmp_path)
    issued = authority.issue("router")
    (tmp_path / "users").write_text("")
    files = f"certificate: {issued.certificate}, key: {issued.key}"
    (tmp_path / "config.yaml").write_text(
        SITE.replace(
            "peers: all}", f"user: users}}\n    tls: {{{files}, trust: {authority.trust}}}"
        ).replace("port: 104,", f"port: 104, tls: {{trust: {authority.trust}}},")
    )
    done = CliRunner().invoke(main, ["conformance", str(tmp_path / "config.yaml")])
    assert done.exit_code == 0, done.output
    security = section(done.stdout, "7 Security")
    assert "| listener radiology | is required |" in security
    assert "| destination pacs | we show none |" in security
    assert "is wanted by radiology" in security
