"""A configuration with every key in it, written twice: `<before|after>` a change."""

import re

from router.config.passcodes import hashed
from tests.certificates import Authority

PLUGINS = """\
from router import hookimpl

class Gate:
    @hookimpl
    def accept_association(self, association): ...

class Stamp:
    def __init__(self, text: str):
        self.text = text

    @hookimpl
    def rewrite_instance(self, instance):
        instance.dataset.InstitutionName = self.text

class Other(Stamp): ...

class Matches:
    @hookimpl
    def rewrite_match(self, query, match): ...

class Printer:
    def __init__(self, tray: str):
        self.tray = tray

    def send(self, instance):
        return self.tray

    def close(self): ...

class Print:
    def __init__(self, tray: str):
        self.tray = tray

    @hookimpl
    def open_destination(self, destination):
        return Printer(self.tray)
"""
EVERY_TYPE = """\
    associations: <2|3>
    close_after: <5 s|6 s>
    retry: {first: <5 s|6 s>, longest: <10 min|11 min>, hold_after: <never|1 d>}
    object_tries: <3|4>
    schedule: <[]|[Mon-Sun]>
    bandwidth: <unlimited|1 MB/s>
    spool_limit: <unlimited|1 GiB>
    when_full: <refuse|discard>
    resend: <always|never>
    loop_guard: <10|11>
    when_removed: <refuse|drain>
    fallback: <other|turns>
    priority: <0|1>
    required: <false|true>
    outside: <false|true>
    chain: <[]|[set: {InstitutionName: X}]>
"""
BOTH = """\
spool:
  {directory: ./spool, queue: sqlite, keep_free: <1 KiB|2 KiB>, retain: <1 h|2 h>,
   history: <1 d|2 d>}
maximum_associations: <500|501>
processing: {workers: <1|2>}
timezone: <Europe/Berlin|America/New_York>
logging: {level: <info|warning>, format: <text|json>, patient_data: <false|true>}
web: {bind: 127.0.0.<3|4>, port: <PORT|0>, networks: <127.0.0.0/8|10.0.0.0/8>, hosts: <[]|[a.b]>}
alerts:
  after: <1 h|2 h>
  command: <["true"]|["false"]>
  webhook: http://127.0.0.1:1/<a|b>
include: <[]|[more.yaml]>
listeners:
  main:
    ae_title: <[ROUTER, R2, R3]|[ROUTER, R2]>
    port: 0
    bind: 127.0.0.1
    tls: {certificate: <a|b>.pem, key: <a|b>.key, trust: <one|two>.pem,
          client_certificate: <optional|required>, revoked: <[]|two.crl>}
    accept: {calling_ae_titles: <"*"|"*1">, networks: <127.0.0.0/8|[127.0.0.1, 127.0.0.3]>,
             peers: <all|ct>, user: <both|ann>.txt}
  moves: {port: <PORT|0>, bind: <127.0.0.1|127.0.0.2>}
  plain:
    port: 0
    bind: 127.0.0.1
    services: <[store, echo]|store>
    sop_classes: <all|CTImageStorage>
    transfer_syntaxes: <all|ExplicitVRLittleEndian>
    maximum_associations: <100|90>
    limits:
      connections: <2000|2001>
      associations_per_address: <20|21>
      requests_per_minute: <30000|30001>
      artim: <10 s|11 s>
      idle: <10 min|11 min>
      stall: <60 s|61 s>
      minimum_rate: <1 kB/s|2 kB/s>
      association_request: <128 KiB|129 KiB>
      presentation_contexts: <128|127>
      pdu: <128 KiB|64 KiB>
      command_set: <64 KiB|65 KiB>
      identifier: <1 MiB|2 MiB>
      object: <64 GiB|65 GiB>
      inflated: <4 GiB|5 GiB>
      inflated_ratio: <100|101>
      header: <64 MiB|63 MiB>
      nesting: <64|63>
    acknowledge: <received|processed>
    acknowledge_timeout: <60 s|61 s>
    unmatched: <refuse|hold>
    chain: <[]|["mine.py:Gate"]>
peers:
  ws: {calling_ae_titles: WS*}
  other: {calling_ae_titles: OTHER1}
  ct:
    calling_ae_titles: <[CT1, X1]|CT1>
    called_ae_titles: <"*"|ROUTER>
    networks: <127.0.0.0/8|127.0.0.1>
    certificate: <[CN=a, CN=b]|CN=b>
    services: <[store, echo]|store>
    sop_classes: <all|CTImageStorage>
    move_destinations: <all|other>
    maximum_associations: <50|1>
    assume_character_set: <ISO_IR 100|ISO_IR 101>
destinations:
  pacs:
    ae_title: <PACS|ARCHIVE>
    host: <127.0.0.1|127.0.0.2>
    port: <104|105>
    tls: {certificate: <a|b>.pem, key: <a|b>.key, trust: <one|two>.pem,
          server_name: <a|b>.hospital, revoked: <[]|two.crl>}
    calling_ae_title: <ROUTER|ROUTER2>
    timeouts: {connect: <10 s|11 s>, association: <30 s|31 s>, response: <5 min|6 min>}
    delivered_statuses: <[]|["0x0111"]>
    query: {ae_title: <QR|QR2>, host: <127.0.0.3|127.0.0.4>, port: <106|107>,
            retrieve: <get|move>, move_to: <ME|ME2>, issuer_of_patient_id: <A|B>,
            character_set: <ISO_IR 100|ISO_IR 192>}
    transfer_syntaxes: <as_is|[ExplicitVRLittleEndian]>
EVERY_TYPE
  vna:
    type: folder
    directory: ./<vna|elsewhere>
    path: "<a|b>/{SOPInstanceUID}.dcm"
    index: <false|true>
EVERY_TYPE
  printer:
    type: mine.py:Print
    options: {tray: <a|b>}
EVERY_TYPE
  other: {ae_title: OTHER, host: 127.0.0.1}
  turns: <{type: folder, directory: ./turns}|{ae_title: TURNS, host: 127.0.0.1}>
plugins:
  stamp: {use: mine.py:<Stamp|Other>, options: {text: <a|b>}, timeout: <30 s|31 s>}
routes:
  - name: <first|renamed>
    chain: [stamp<|, set: {StationName: X}>]
    to: <vna|[vna, pacs]>
    study_quiet: <60 s|61 s>
    deliver: <at_once|study_complete>
  - {name: waits, to: other, deliver: study_complete, study_quiet: <60 s|61 s>}
  - {name: some, when: {Modality: <CT|MR>}, to: other}
query_retrieve:
  - name: <q|r>
    listener: plain
    upstreams: <pacs|other>
    accept: {calling_ae_titles: <"*"|"*1">, networks: <127.0.0.0/8|127.0.0.1>,
             peers: <all|[ct, ws]>}
    services: <[find, move]|[find, move, get]>
    deadline: <30 s|31 s>
    limit: <100|101>
    partial: <fail|succeed>
    chain: <[]|["mine.py:Matches"]>
    move_destinations: <[pacs]|[pacs, other]>
  - {name: goes, listener: <plain|main>, upstreams: pacs, accept: {}}
  - {name: ways, listener: plain, upstreams: pacs, accept: {}, services: move,
     instances: <through|direct>, move_destinations: [other]}
tests:
  - name: <one|two>
    header: {Modality: <CT|MR>}
    file: <a|b>.pem
    association: {calling_ae_title: <A|B>, called_ae_title: <C|D>, address: 127.0.0.<1|2>,
                  listener: <main|plain>}
    expect: {routes: <[some]|[]>, destinations: <[other]|[]>, values: {PatientID: <P|Q>},
             skipped: <[]|[some]>, held: <[]|[some]>, refused: <false|true>, reason: <"a"|"b">}
"""


def before(port):
    return _side(1, port)


def after(port):
    return _side(2, port)


def _side(group, port):
    text = BOTH.replace("EVERY_TYPE\n", EVERY_TYPE).replace("PORT", str(port))
    return re.sub(r"<([^<>|]*)\|([^<>]*)>", lambda found: found[group], text)


def write_files(directory):
    """What the configurations name."""
    (directory / "mine.py").write_text(PLUGINS)
    (directory / "more.yaml").write_text("peers: {included: {calling_ae_titles: INCLUDED}}\n")
    ann, bob = (f"{name}:{hashed('x')}\n" for name in ("ann", "bob"))
    (directory / "ann.txt").write_text(ann)
    (directory / "both.txt").write_text(ann + bob)
    one, two = Authority(directory, "one"), Authority(directory, "two")
    one.issue("a")
    two.issue("b")
    for name in ("ann.txt", "both.txt"):
        (directory / name).chmod(0o600)
