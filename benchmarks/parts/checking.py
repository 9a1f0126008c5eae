"""How long `check` takes on a large configuration: from the command to its exit."""

import subprocess
import time

from benchmarks.lab import Lab
from benchmarks.result import Result
from tests.story.peers import DICOM_ROUTER

DESTINATIONS = 100
REPEATED = 3
DESTINATION = "  d{0}: {{ae_title: D{0}, host: 10.0.0.{0}, retry: {{first: 5 s}}}}\n"
ROUTE = """\
  - name: r{0}
    when: {{calling_ae_title: [CT{0}, MR{0}], Modality: [CT, MR], StudyDescription: "*P{0}*"}}
    chain:
      - set: {{InstitutionName: "I{0}"}}
      - remove: [PatientComments]
    to: [d{1}]
"""


def run(lab: Lab) -> list[Result]:
    return [_check(lab, routes, target) for routes, target in ((200, 2.0), (2000, None))]


def large(routes: int) -> str:
    """A configuration of so many routes, each with conditions, a chain and a destination."""
    return (
        "listeners: {main: {bind: 127.0.0.1}}\ndestinations:\n"
        + "".join(DESTINATION.format(number) for number in range(DESTINATIONS))
        + "routes:\n"
        + "".join(ROUTE.format(number, number % DESTINATIONS) for number in range(routes))
    )


def _check(lab: Lab, routes: int, target: float | None) -> Result:
    config = lab.folder(f"check-{routes}") / "config.yaml"
    config.write_text(large(routes))
    took = []
    for _ in range(REPEATED):
        began = time.perf_counter()
        subprocess.run([*DICOM_ROUTER, "check", str(config)], check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    what = f"check of {routes:,} routes and {DESTINATIONS} destinations"
    return Result(what, "", "s", took, target)
