"""Certificates and revocation lists are told before they expire, and once they have."""

from datetime import UTC, datetime, timedelta

import pytest

from router.config import ServerTls
from router.config.expiry import OVER, expiring
from tests.certificates import Authority

TEXT = """\
listeners:
  main:
    bind: 127.0.0.1
    tls:
      certificate: ca/router.pem
      key: ca/router.key
      trust: [ca/Hospital CA.pem]
      revoked: ca/Hospital CA.crl
destinations:
  pacs:
    ae_title: PACS
    host: pacs
    tls: {trust: ca/Hospital CA.pem}
routes:
  - {name: all, to: [pacs]}
"""


@pytest.fixture
def hospital(tmp_path):
    """Everything lasts 400 days."""
    authority = Authority(tmp_path / "ca", days=400)
    authority.issue("router", days=400)
    authority.revoke(days=400)
    return authority


def stages(config, **later):
    found = expiring(config, datetime.now(UTC) + timedelta(**later))
    return {".".join(each.place): each.stage for each in found}


def test_a_month_before_a_week_before_and_when_it_is_over(hospital, configured):
    hospital.issue("router", days=500)
    config = configured(TEXT)
    others = (
        *("listeners.main.tls.trust", "listeners.main.tls.revoked"),
        "destinations.pacs.tls.trust",
    )
    assert config.lints == ()
    assert stages(config, days=369) == {}
    assert stages(config, days=371) == dict.fromkeys(others, 1)
    assert stages(config, days=394) == dict.fromkeys(others, 2)
    assert stages(config, days=401) == dict.fromkeys(others, OVER)
    assert stages(config, days=501)["listeners.main.tls.certificate"] == OVER


def test_a_list_that_lives_for_a_week_is_told_in_its_last_days_only(hospital, configured):
    hospital.revoke(days=4)  # it is three days old
    config = configured(TEXT)
    assert stages(config) == {}
    told = [stages(config, hours=hours) for hours in (48, 60, 90, 97)]
    assert [each.get("listeners.main.tls.revoked") for each in told] == [None, 1, 2, OVER]


def test_check_tells_what_expires_and_where_it_is_used(hospital, configured):
    hospital.issue("router", days=0.5)
    hospital.revoke(days=-1)
    lints = [str(lint).partition(": ")[2] for lint in configured(TEXT).lints]
    [certificate, revoked] = lints
    assert certificate.startswith("lint: listeners.main.tls.certificate: router.pem expires on 2")
    assert certificate.endswith(" UTC: without another one, peers refuse it")
    assert revoked.startswith("lint: listeners.main.tls.revoked: Hospital CA.crl has expired on 2")
    assert revoked.endswith("without another one, every certificate is refused")


def test_of_what_was_renewed_in_the_same_file_the_newer_counts(hospital, configured, tmp_path):
    old = hospital.revoked.read_bytes()
    hospital.revoke(days=-1)
    hospital.revoked.write_bytes(hospital.revoked.read_bytes() + old)
    assert configured(TEXT).lints == ()
    hospital.revoke(days=-1)
    hospital.revoked.write_bytes(old + hospital.revoked.read_bytes())
    assert configured(TEXT).lints == ()


def test_of_several_authorities_the_first_to_expire_counts(hospital, configured, tmp_path):
    other = Authority(tmp_path / "other", "Other CA", days=0.5)
    hospital.trust.write_bytes(hospital.trust.read_bytes() + other.trust.read_bytes())
    assert stages(configured(TEXT)) == {
        "listeners.main.tls.trust": 1,
        "destinations.pacs.tls.trust": 1,
    }


def test_what_cannot_be_read_is_no_reason_to_stop(hospital, configured, tmp_path):
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    config = configured(TEXT)
    tls = config.listeners["main"].tls
    assert isinstance(tls, ServerTls)
    file = type(tls.trust[0])(tls.trust[0].path, broken)
    tls = tls.model_copy(update={"trust": (file,)})
    listener = config.listeners["main"].model_copy(update={"tls": tls})
    config = config.model_copy(update={"listeners": {"main": listener}})
    assert stages(config, days=401).keys() == {
        *("listeners.main.tls.certificate", "listeners.main.tls.revoked"),
        "destinations.pacs.tls.trust",
    }
