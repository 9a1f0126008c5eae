"""Many routes are not asked one by one, and still each applies as its `when` alone would say."""

import tempfile
from datetime import UTC, datetime, time
from functools import cache
from itertools import product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router.config import Config
from router.config.when import Network, Range
from router.config.when_parsing import compile_when
from router.routing import Facts, Routes, dispatch
from router.routing.matching import predicate
from tests.routing.helpers import RECEIVED, association, dataset, read_config, scan_of

# Few values, so that conditions often hold, alone and together.
TEXTS = st.sampled_from(["A", "a b", "B^C", "b^c^", "Stra\u00dfe", "", " ", "x*", "ab=B^C"])
GLOBS = st.sampled_from(
    ["a", "A*", "*b", "?", "*", "B^C", "B^*", "*\u00df*", "strasse", "x?", "a*b"]
)
UIDS = st.sampled_from(["1.2", "1.2.3", "1.2.*"])
AMOUNTS = st.sampled_from(["> 1", "<= 2", "1-3", "2", "-1-2"])
EXISTS = st.booleans().map(lambda there: {"exists": there})


def some(values):
    """One of the values, or a list of them."""
    return values | st.lists(values, min_size=1, max_size=3)


LEAVES = st.one_of(
    *(
        st.builds(lambda value, key=key: {key: value}, some(values))
        for key, values in {
            "StudyDescription": GLOBS | EXISTS,
            "PatientName": GLOBS,
            "OtherPatientIDs": GLOBS,
            "StudyInstanceUID": UIDS | EXISTS,
            "SliceThickness": AMOUNTS,
            "RequestAttributesSequence.ScheduledProcedureStepID": GLOBS,
            "**.CodeMeaning": GLOBS,
            "calling_ae_title": st.sampled_from(["CT1", "CT*", "MR1"]),
            "address": st.sampled_from(["10.0.0.0/8", "192.168.0.1"]),
            "peer": st.sampled_from(["ct", "mr"]) | EXISTS,
            "listener": st.sampled_from(["radiology", "rad*"]),
            "time": st.sampled_from(["07:00-18:00", "22:00-06:00"]),
        }.items()
    )
)
WHENS = st.recursive(
    st.just({}) | LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda one, other: one | other, inner, inner),
        st.builds(lambda when: {"not": when}, inner),
        st.builds(lambda whens: {"any": whens}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda whens: {"all": whens}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)
SENDERS = st.fixed_dictionaries(
    {
        "calling_ae_title": st.sampled_from(["CT1", "CT2", "MR1"]),
        "address": st.sampled_from(["10.1.4.7", "192.168.0.1", "::ffff:10.0.0.1"]),
        "peer": st.sampled_from([None, "ct", "mr"]),
    }
)


@st.composite
def data_sets(draw) -> Dataset:
    made = dataset(SpecificCharacterSet="ISO_IR 192", StudyInstanceUID=draw(UIDS.map(plain)))
    for keyword in ("StudyDescription", "PatientName", "CodeMeaning"):
        if draw(st.booleans()):
            setattr(made, keyword, draw(TEXTS))
    if draw(st.booleans()):
        made.OtherPatientIDs = draw(st.lists(TEXTS.filter(str.strip), max_size=3))
    if draw(st.booleans()):
        made.SliceThickness = draw(st.sampled_from(["1", "2.0", "-1", ""]))
    if draw(st.booleans()):
        made.RequestAttributesSequence = Sequence(draw(st.lists(items(), max_size=2)))
    return made


@st.composite
def items(draw) -> Dataset:
    item = Dataset()
    item.ScheduledProcedureStepID = draw(TEXTS)
    item.CodeMeaning = draw(TEXTS)
    return item


def plain(uid: str) -> str:
    return uid.removesuffix(".*")


@cache
def one_route() -> Config:
    with tempfile.TemporaryDirectory() as folder:
        return read_config(Path(folder), "timezone: UTC\nroutes: [{name: r, to: [pacs]}]")


def with_routes(*whens: dict | str) -> Config:
    """Routes r0, r1... on these conditions."""
    (route,) = one_route().routes
    routes = (
        route.model_copy(
            update={
                "name": f"r{number}",
                "when": when if isinstance(when, str) else compile_when(when, Path()),
            }
        )
        for number, when in enumerate(whens)
    )
    return one_route().model_copy(update={"routes": tuple(routes)})


@settings(max_examples=150, deadline=None)
@given(
    whens=st.lists(WHENS, min_size=1, max_size=8),
    made=st.lists(data_sets(), min_size=1, max_size=3),
    senders=st.lists(SENDERS, min_size=1, max_size=3),
    hour=st.integers(0, 23),
)
def test_together_routes_apply_as_each_alone_would(whens, made, senders, hour):
    config = with_routes(*whens, "otherwise")
    *routes, otherwise = config.routes
    together = Routes(config)
    received = datetime.combine(RECEIVED, time(hour), UTC)
    scans = [scan_of(each) for each in made]
    for sender, scan in product(senders, scans):
        who = association(**sender)
        alone = [
            route
            for route in routes
            if predicate(route.when, config.timezone)(Facts(who, scan, received))
        ]
        found = [match.route for match in together.match(who, scan, received)]
        assert found == (alone or [otherwise])


def test_what_the_association_decides_is_asked_once_however_many_instances_come(monkeypatch):
    asked = []
    original = Network.matches
    monkeypatch.setattr(
        Network, "matches", lambda test, value: asked.append(value) or original(test, value)
    )
    routes = Routes(with_routes(*({"address": f"10.{n}.0.0/16"} for n in range(100))))
    for sender in (association(), association(address="10.5.0.1")):
        for _ in range(5):
            assert len(routes.match(sender, scan_of(dataset()), RECEIVED)) == 1
    assert len(asked) == 200


def test_a_route_whose_text_is_nowhere_is_never_asked(monkeypatch):
    compiled = []
    original = dispatch.predicate
    monkeypatch.setattr(
        dispatch, "predicate", lambda when, zone: compiled.append(when) or original(when, zone)
    )
    whens = [{"Modality": "CT", "StudyDescription": f"*trial {n}*"} for n in range(100)]
    whens += [{"Modality": "CT", "StudyInstanceUID": f"1.2.{n}"} for n in range(100)]
    scan = scan_of(dataset(StudyDescription="Thorax, Trial 17"))  # of the study 1.2.3
    found = Routes(with_routes(*whens)).match(association(), scan, RECEIVED)
    assert [match.route.name for match in found] == ["r1", "r17", "r103"]
    assert len(compiled) == 3


def test_what_many_routes_ask_alike_is_asked_once(monkeypatch):
    asked = []
    original = Range.includes
    monkeypatch.setattr(
        Range, "includes", lambda test, amount: asked.append(amount) or original(test, amount)
    )
    thin = {"SliceThickness": "0-1"}
    routes = Routes(with_routes(*(thin | {"Rows": f"{n}-600"} for n in range(100))))
    scan = scan_of(dataset(SliceThickness="5", Rows=512))
    assert routes.match(association(), scan, RECEIVED) == []
    assert len(asked) == 1
