"""Where an instance goes is settled when it arrives, by the configuration its association knew."""

from .station import CT, EXPLICIT, data_set

ARCHIVE = "  - {name: everything, to: [pacs]}"
FOLDER = "  - {name: everything, to: [vna]}"


def store(association, uid: str) -> int:
    context = association.context_for(CT, EXPLICIT)
    return association.store(context, CT, uid, [data_set(SOPInstanceUID=uid)]).status


def test_an_association_keeps_its_configuration_and_what_is_queued_its_destinations(station):
    started = station(routes=ARCHIVE)
    old = started.associate()
    assert store(old, "1.2.3.1") == 0
    assert started.destinations("1.2.3.1") == ["pacs"]
    started.reload(routes=FOLDER)
    assert store(old, "1.2.3.2") == 0
    old.release()
    new = started.associate()
    assert store(new, "1.2.3.3") == 0
    new.release()
    found = {uid: started.destinations(uid) for uid in ("1.2.3.1", "1.2.3.2", "1.2.3.3")}
    assert found == {"1.2.3.1": ["pacs"], "1.2.3.2": ["pacs"], "1.2.3.3": ["vna"]}
