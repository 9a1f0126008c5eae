"""Why a route applies or does not: the conditions that decided, with their lines."""

import pytest

from router.routing import Facts
from router.routing.reasons import reasons
from tests.routing.helpers import RECEIVED, association, dataset, read_config, scan_of

ROUTES = """routes:
  - name: r
    when:
      Modality: CT
      not: {StudyDescription: HEAD}
      any:
        - {calling_ae_title: MR1}
        - {calling_ae_title: CT1}
    to: [pacs]
"""


def decided(folder, routes=ROUTES, calling_ae_title="CT1", **elements):
    config = read_config(folder, routes)
    facts = Facts(
        association(calling_ae_title=calling_ae_title), scan_of(dataset(**elements)), RECEIVED
    )
    return list(reasons(config.routes[0].when, facts, config.timezone))


def lines(found):
    return [str(reason).split(":", 1)[1] for reason in found]


def test_what_made_a_route_apply_is_every_condition_that_had_to(tmp_path):
    assert lines(decided(tmp_path)) == [
        "10 Modality: CT",
        "11 not StudyDescription: HEAD",
        "14 calling_ae_title: CT1",
    ]


@pytest.mark.parametrize(
    ("given", "line", "found"),
    [
        ({"Modality": "MR"}, "10 not Modality: CT", ("MR",)),
        ({"Modality": ""}, "10 not Modality: CT", ()),
        ({"StudyDescription": "head"}, "11 StudyDescription: HEAD", ("head",)),
    ],
)
def test_what_kept_a_route_from_applying_is_the_first_condition_that_failed(
    tmp_path, given, line, found
):
    (reason,) = decided(tmp_path, **given)
    assert lines([reason]) == [line]
    assert (reason.found, reason.of_patient) == (found, True)


def test_of_alternatives_none_of_which_holds_every_one_is_told(tmp_path):
    found = decided(tmp_path, calling_ae_title="US1")
    assert lines(found) == ["13 not calling_ae_title: MR1", "14 not calling_ae_title: CT1"]
    assert [(reason.found, reason.of_patient) for reason in found] == [(("US1",), False)] * 2


def test_an_element_that_is_missing_was_found_as_none(tmp_path):
    routes = "routes: [{name: r, when: {BodyPartExamined: HEAD}, to: [pacs]}]"
    (reason,) = decided(tmp_path, routes)
    assert reason.found is None


def test_a_time_of_day_is_judged_in_the_configurations_timezone(tmp_path):
    routes = 'timezone: Asia/Tokyo\nroutes: [{name: r, when: {time: "23:00-24:00"}, to: [pacs]}]'
    (reason,) = decided(tmp_path, routes)  # 14:30 in UTC
    assert (reason.holds, reason.found) == (True, ("23:30",))
