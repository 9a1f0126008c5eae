"""Files of folders: whole or not there, whatever else writes them and whatever a crash left."""

import os
from concurrent.futures import ThreadPoolExecutor

from router.files import write_durably


def test_what_a_crash_left_is_taken_over_by_the_next_try(tmp_path):
    process = os.fork()
    if not process:

        def crash():
            yield b"half of a very long "
            os._exit(0)

        write_durably(tmp_path / "file", crash())
    os.waitpid(process, 0)
    assert not (tmp_path / "file").exists()
    assert len(os.listdir(tmp_path)) == 1
    write_durably(tmp_path / "file", [b"file"])
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"file"


def test_writers_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "file"

    def write(number: int) -> bytes:
        parts = [bytes([number]) * 1000] * 20
        write_durably(path, parts)
        found = path.read_bytes()
        assert found == found[:1] * 20_000
        return found

    with ThreadPoolExecutor(8) as writers:
        written = list(writers.map(write, range(64)))
    assert path.read_bytes() in written
    assert os.listdir(tmp_path) == ["file"]
