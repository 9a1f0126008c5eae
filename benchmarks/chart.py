"""The results as bars: how much of its target each row reached."""

from html import escape

from benchmarks.result import Result

ROW = 26
LABEL = 470  # where the bars begin
SCALE = 200  # pixels that are the target
WIDTH = 980
MOST = 2.2  # longer bars are cut off

STYLE = """\
text { font: 13px sans-serif; fill: #24292f }
.met { fill: #2da44e } .missed { fill: #cf5c1f } .target { stroke: #24292f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .target { stroke: #e6edf3 } }
"""


def chart(results: list[Result]) -> str:
    """An SVG with a bar for each row that has a target; the line is the target."""
    rows = [each for each in results if each.target is not None]
    height = ROW * (len(rows) + 2)
    line = LABEL + SCALE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Every figure in proportion to its target: shorter is better</title>",
        f"<style>{STYLE}</style>",
        f'<text x="{line}" y="16" text-anchor="middle">target (shorter is better)</text>',
        *(part for number, row in enumerate(rows) for part in _bar(number + 1, row)),
        f'<line class="target" x1="{line}" x2="{line}" y1="{ROW - 4}" y2="{height - ROW}"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(number: int, row: Result) -> list[str]:
    share = row.target / row.figure if row.at_least else row.figure / row.target
    length = SCALE * min(share, MOST)
    top = number * ROW
    kind = "met" if row.met else "missed"
    name = row.what if len(row.what) < 66 else row.what[:64].rstrip() + "…"
    return [
        f'<text x="{LABEL - 8}" y="{top + 14}" text-anchor="end">{escape(name)}</text>',
        f'<rect class="{kind}" x="{LABEL}" y="{top}" width="{max(length, 1):.0f}" height="18"/>',
        f'<text x="{LABEL + length + 8:.0f}" y="{top + 14}">{share:.2f}</text>',
    ]
