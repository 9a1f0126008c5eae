"""Copies for a destination of a higher priority go through their chains first."""

URGENT = "  urgent: {type: folder, directory: ./urgent, priority: 5}"
ROUTES = """
  - {name: usual, when: {PatientID: A}, chain: [set: {PatientName: A}], to: [pacs]}
  - {name: urgent, when: {PatientID: B}, chain: [set: {PatientName: B}], to: [pacs, urgent]}"""


def test_what_goes_to_any_urgent_destination_is_processed_first(station):
    started = station(routes=ROUTES, more=URGENT)
    for number, patient in enumerate("AABA"):
        assert started.send(uid=f"1.2.{number}", PatientID=patient).status == 0
        started.instances(f"1.2.{number}")
    order = [task.sop_instance_uid for task in started.spool.ledger.claim_copies(9)]
    assert order == ["1.2.2", "1.2.0", "1.2.1", "1.2.3"]
