"""Files of the spool: whole, private, in bounded directories, and gone when not accepted."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from router.spool import IncomingFile, Spool, SpoolError, Stored, files
from tests.spool.making import META, accept, deliver, planned

FILE_SIZE_LIMIT = 100_000


def test_what_is_written_is_there_once_synced(spool: Spool) -> None:
    file = spool.incoming()
    file.write([memoryview(b"ab"), memoryview(b""), memoryview(bytearray(b"cd"))])
    file.write([b"ef"])
    file.sync()
    assert file.size == 6
    file.close()
    assert Path(file.path).read_bytes() == b"abcdef"


def test_more_buffers_than_the_system_takes_at_once_are_written(spool: Spool) -> None:
    content = os.urandom(5000)
    file = spool.incoming()
    file.write([memoryview(content)[at : at + 1] for at in range(len(content))])
    file.sync()
    file.close()
    assert Path(file.path).read_bytes() == content


def test_a_short_write_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A file size limit makes the first writev short and the next write fail."""
    limited = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "spool")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (FILE_SIZE_LIMIT, FILE_SIZE_LIMIT)
        ),
        timeout=30,
    )
    assert limited.stdout.splitlines() == [
        f"written {FILE_SIZE_LIMIT}",
        "cannot write a file of the spool: File too large",
        "True",
    ], limited.stderr


LIMITED = f"""
import sys
from pathlib import Path
from router.spool.files import FileTree
from router.spool.health import Health
root = Path(sys.argv[1]); root.mkdir()
health = Health()
file = FileTree(root / "files", health).create()
blocks = [bytes([n]) * 30_000 for n in range(4)]
try:
    file.write(blocks)
except Exception as error:
    expected = b"".join(blocks)[:{FILE_SIZE_LIMIT}]
    assert Path(file.path).read_bytes() == expected
    print("written", file.size)
    print(error)
    print(health.failed == str(error))
"""


def test_instances_of_one_file_follow_each_other_and_a_discarded_one_leaves_no_trace(
    spool: Spool,
) -> None:
    file = spool.incoming()
    assert file.begin() == 0
    file.write([b"first"])
    file.sync()
    assert file.begin() == 5
    file.write([b"unwanted"])
    file.sync()
    file.discard()
    assert file.begin() == 5
    file.write([b"second"])
    file.sync()
    file.close()
    assert Path(file.path).read_bytes() == b"firstsecond"


def test_a_file_in_which_nothing_was_kept_is_gone(spool: Spool) -> None:
    unwritten, discarded = spool.incoming(), spool.incoming()
    discarded.write([b"unwanted"])
    discarded.discard()
    for file in (unwritten, discarded):
        file.close()
        assert not Path(file.path).exists()


def test_a_file_that_is_still_appended_to_is_not_expired(spool: Spool) -> None:
    file = spool.incoming()
    file.write([META, b"data"])
    file.sync()
    accept(spool, planned("pacs"), stored=Stored(file.path, len(META), 4))
    assert deliver(spool, "pacs") == 1
    assert spool.expire(0) == 0
    file.close()
    assert spool.expire(0) == 1
    assert not Path(file.path).exists()


def test_nobody_else_may_read_the_spool(spool: Spool) -> None:
    accept(spool, planned("pacs"))
    for path in [spool.directory, *spool.directory.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_a_full_directory_is_followed_by_the_next(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES_PER_DIRECTORY", 3)
    paths = [Path(accepted_path(spool, number)) for number in range(7)]
    assert [len(list(folder.iterdir())) for folder in sorted({p.parent for p in paths})] == [
        3,
        3,
        1,
    ]


def accepted_path(spool: Spool, number: int) -> str:
    accept(spool, planned("pacs"), uid=f"1.{number}")
    (task,) = spool.ledger.claim("pacs", 1)
    return task.segments[0].path  # type: ignore[union-attr]


def test_a_file_that_cannot_be_made_does_not_end_accepting(spool: Spool) -> None:
    made: list[IncomingFile] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno(), hard))
        try:
            with pytest.raises(SpoolError, match="cannot create a file"):
                for _ in range(100):
                    made.append(spool.incoming())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for file in made:
        file.discard()
    assert spool.failed is None
    accept(spool, planned("pacs"))
