"""Where commands look for the router of a configuration."""

from pathlib import Path

import pytest

from router.operate.spool_place import find_spool


@pytest.mark.parametrize(
    ("text", "spool"),
    [
        ("spool: {directory: ./a}\n", "a"),
        ("spool: {queue: sqlite, directory: a}\n", "a"),
        ("spool:\n  directory: ./a   # where it is\n", "a"),
        (
            "spool:   # all of it\n\n  # directory: b\n  queue: sqlite\n  directory: /v/a-b\n",
            "/v/a-b",
        ),
        ('spool:\n  directory: "a b"\n', "a b"),
        ("spool:\n  directory: !env SPOOL_OF_A_TEST\n", "from-env"),
        ("spool:\n  # directory: b\nlisteners: {}\n", "spool"),
        ("destinations:\n  spool: {type: folder, directory: ./b}\n", "spool"),
        ("", "spool"),
        ("include: [more.yaml]\n", "included"),
        ("rutes: []\nspool: {queue: sqlite, directory: a}\n", "a"),
        ("spool: {directory: a\n", "a"),
    ],
)
def test_the_spool_is_found_however_it_is_written(tmp_path, monkeypatch, text, spool):
    monkeypatch.setenv("SPOOL_OF_A_TEST", "from-env")
    Path(tmp_path, "more.yaml").write_text("spool: {directory: included}\n")
    config = tmp_path / "config.yaml"
    config.write_text(text)
    assert find_spool(config) == tmp_path / spool
