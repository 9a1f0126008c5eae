"""Results written down: results.json with every figure, a table in docs/performance.md, a chart."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.chart import chart
from benchmarks.machine import machine, versions
from benchmarks.parts import PARTS
from benchmarks.result import Result, Skipped

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
CHART = HERE / "results.svg"
PAGE = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def keep(name: str, results: list[Result | Skipped], commands: list[str], directory: Path) -> None:
    """Put one part's results in the place of its earlier ones; those of other machines go."""
    about = {"machine": machine(directory), "versions": versions()}
    kept = _read()
    parts = kept["parts"] if {key: kept.get(key) for key in about} == about else {}
    parts[name] = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commands": commands,
        "results": [asdict(result) for result in results],
    }
    ordered = {each: parts[each] for each in PARTS if each in parts}
    RESULTS.write_text(json.dumps(about | {"parts": ordered}, indent=1) + "\n")


def write() -> None:
    """Bring the page and the chart up to what is kept."""
    kept = _read()
    results = [_result(row) for part in kept["parts"].values() for row in part["results"]]
    CHART.write_text(chart([each for each in results if isinstance(each, Result)]))
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{_table(results)}\n{_about(kept)}\n{END}{after}")


def line(result: Result | Skipped) -> str:
    if isinstance(result, Skipped):
        return f"{result.what}: skipped, {result.why}"
    met = {True: "met", False: "MISSED", None: ""}[result.met]
    return f"{result.what}: {_figure(result)} {_target(result)} {met} {result.note}".rstrip()


def _read() -> dict:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"parts": {}}


def _result(row: dict) -> Result | Skipped:
    return Skipped(**row) if "why" in row else Result(**row)


def _table(results: list[Result | Skipped]) -> str:
    rows = ["| what | compared with | median (lowest to highest) | target |", "|---|---|---|---|"]
    for each in results:
        if isinstance(each, Skipped):
            rows.append(f"| {each.what} | | skipped: {each.why} | |")
            continue
        missed = " **missed**" if each.met is False else ""
        note = f"; {each.note}" if each.note else ""
        against = each.against or "-"
        rows.append(
            f"| {each.what} | {against} | {_figure(each)}{note} | {_target(each)}{missed} |"
        )
    return "\n".join(rows)


def _about(kept: dict) -> str:
    facts = [*kept["machine"].items(), *kept["versions"].items()]
    return "\nMeasured on: " + "; ".join(f"{name} {value}" for name, value in facts) + "."


def _figure(result: Result) -> str:
    text = _number(result.figure, result.unit)
    if len(result.figures) > 1:
        text += f" ({_number(min(result.figures))} to {_number(max(result.figures))})"
    return text


def _target(result: Result) -> str:
    if result.target is None:
        return "-"
    return f"{'>=' if result.at_least else '<='} {_number(result.target, result.unit)}"


def _number(value: float, unit: str = "") -> str:
    digits = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{digits}{unit if unit in ('x', '%', '/s') else f' {unit}'.rstrip()}"
