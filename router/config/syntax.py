"""What YAML itself cannot read, said in the words of the person who wrote it."""

import re

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from router.config.mistakes import Position

# (what ruamel.yaml says is the problem, what we say; the place is where the enclosing thing
# began rather than where reading stopped)
_EXPLANATIONS: list[tuple[str, str, bool]] = [
    (r"content, but found '<stream end>'", "the file ends inside a bracket", False),
    (r"found character '\\t'", "a tab; YAML is indented with spaces only", False),
    (r"found character '(.)' that cannot", "text cannot begin with {0}; quote it", False),
    (r"expected alphabetic or numeric character", "'*' or '&' begins a name; quote it", True),
    (
        r"mapping values are not allowed",
        "a ':' too many; check the indentation, or quote it",
        False,
    ),
    (
        r"expected <block end>, but found '<scalar>'",
        "text after a closing bracket or quote; quote the whole",
        False,
    ),
    (r"expected chomping|expected a comment", "'>' or '|' begins a block of text; quote it", True),
    (r"sequence entries are not", "a '- ' where no list can be; check the indentation", False),
    (
        r"expected '<document start>'|expected <block end>",
        "the indentation does not fit the lines above",
        False,
    ),
    (r"could not find expected ':'", "a key without ':'", True),
    (r"found unexpected end of stream", "a quote that is not closed", True),
    (r"found unknown escape character '(.)'", '"\\{0}": in double quotes write \\\\ for \\', False),
    (r"expected ',' or '(.)'", "a bracket that is not closed, or a ',' is missing", True),
    (
        r"expected the node content, but found '(.)'",
        "'{0}' where a value should be; quote it",
        False,
    ),
    (r"found another document", "a second document ('---'); one file is one configuration", False),
    (r"maximum depth", "too many levels", False),
]


def explain_syntax(
    error: MarkedYAMLError | ReaderError, file: str, text: str
) -> tuple[Position, str]:
    """Where reading `text` failed and why."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        return Position(file, line, column), "a control character, which YAML does not allow"
    problem = error.problem or error.context or "it cannot be read"
    mark = error.problem_mark or error.context_mark
    for pattern, message, at_beginning in _EXPLANATIONS:
        if found := re.search(pattern, problem):
            mark = (error.context_mark if at_beginning else None) or mark
            return _position(mark, file), message.format(*found.groups())
    return _position(mark, file), f"not YAML: {problem}"


def _position(mark: object, file: str) -> Position:
    return Position(file, getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1)
