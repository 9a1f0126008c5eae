"""Where a key is found that is refused only once everything has been read."""

import pytest

from router.config import key_position

CONFIG = """\
include: more.yaml
spool: {retain: 1 d, directory: ./elsewhere}
destinations:
  vna: {type: folder, directory: ./vna}
"""


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (("spool", "directory"), "config.yaml:2:22"),
        (("spool", "queue"), "config.yaml:2:1"),
        (("destinations", "gone"), "config.yaml:3:1"),
        (("listeners", "main"), "more.yaml:2:3"),
        (("routes",), "config.yaml:1:1"),
    ],
)
def test_a_key_is_found_where_it_is_or_else_where_it_would_be(tmp_path, keys, place):
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "more.yaml").write_text("listeners:\n  main: {port: 0}\n")
    assert str(key_position(tmp_path / "config.yaml", *keys)) == f"{tmp_path}/{place}"
