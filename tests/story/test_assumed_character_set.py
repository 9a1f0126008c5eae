"""A peer that names no character set: its text is read as the configuration says, everywhere."""

import pydicom

from .peers import until
from .sending import generate

CONFIG = """\
spool: {directory: ./spool, keep_free: 0}
listeners: {modalities: {ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
peers: {old: {networks: [127.0.0.1], assume_character_set: ISO_IR 126}}
destinations:
  vna: {type: folder, directory: ./vna, path: "{PatientName}/{SOPInstanceUID}.dcm"}
  renamed:
    type: folder
    directory: ./renamed
    path: "{InstitutionName}/{SOPInstanceUID}.dcm"
    chain: [{set: {StudyID: "{StudyDescription}"}}]
plugins: {upper: {use: "upper.py:Upper"}}
routes:
  - {name: as_it_came, when: {StudyDescription: "*ΚΕΦΑΛΗ*"}, to: [vna]}
  - name: rewritten
    when: {StudyDescription: "*ΚΕΦΑΛΗ*"}
    chain: [upper, {set: {PatientComments: "{StudyDescription}"}}]
    to: [renamed]
"""

UPPER = """\
from router import hookimpl

class Upper:
    @hookimpl
    def rewrite_instance(self, instance):
        instance.dataset.InstitutionName = str(instance.dataset.PatientName).upper()
"""


def test_rules_templates_paths_and_plugins_read_it_alike(run_router, tmp_path):
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "upper.py").write_text(UPPER)
    router = run_router(CONFIG)
    [path] = generate(tmp_path / "sent", 1)
    sent = pydicom.dcmread(path)
    sent.PatientName = "Παπαδοπουλος".encode("iso8859_7")
    sent.add_new("StudyDescription", "LO", "κεφαλη".encode("iso8859_7"))
    sent.save_as(path)
    router.command("send", f"ROUTER@127.0.0.1:{router.port('modalities')}", str(path), check=True)

    def kept(folder: str, name: str) -> list:
        return list((tmp_path / "router" / folder / name).glob("*.dcm"))

    until(lambda: kept("vna", "Παπαδοπουλος"), "the folder as it came is written")
    until(lambda: kept("renamed", "ΠΑΠΑΔΟΠΟΥΛΟΣ"), "the folder with the rewritten is written")
    made = pydicom.dcmread(kept("renamed", "ΠΑΠΑΔΟΠΟΥΛΟΣ")[0])
    assert "SpecificCharacterSet" not in made
    for keyword in ("StudyDescription", "PatientComments", "StudyID"):
        assert made.get_item(keyword).value.strip() == "κεφαλη".encode("iso8859_7")
