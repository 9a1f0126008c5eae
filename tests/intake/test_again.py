"""What modalities and archives do: send again, and send back."""

from .station import data_set


def test_a_repetition_is_answered_success_and_queued_once(station):
    started = station()
    content = data_set(PatientID="4711")
    assert [started.send(content).status for _ in range(3)] == [0, 0, 0]
    found = started.instances(count=3)
    states = [one.state for instance in found for one in instance.deliveries]
    assert states == ["queued"] * 2 + ["suppressed"] * 4


def test_a_modality_a_router_a_pacs_and_back_to_the_router_is_no_loop(station):
    """The PACS sends on what it got, with the same UID and bytes, to be routed elsewhere."""
    routes = """
  - {name: archive, when: {calling_ae_title: CT1}, to: [pacs]}
  - {name: reading, when: {calling_ae_title: PACS}, to: [pacs, vna]}"""
    started = station(routes=routes)
    content = data_set()
    assert started.send(content).status == 0
    started.instances()
    assert started.send(content, calling_ae_title="PACS").status == 0
    [one, two] = started.instances(count=2)
    assert [d.destination for d in one.deliveries] == ["pacs"]
    assert [(d.destination, d.state, d.reason) for d in two.deliveries] == [
        ("pacs", "suppressed", "it came from there"),
        ("vna", "queued", ""),
    ]


def test_what_goes_nowhere_but_to_where_it_came_from_says_so(station):
    started = station(routes="  - {name: all, to: [pacs]}")
    assert started.send(calling_ae_title="PACS").status == 0
    [instance] = started.instances()
    [delivery] = instance.deliveries
    assert (delivery.state, delivery.reason) == ("suppressed", "it came from there")
