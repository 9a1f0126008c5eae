"""Which changes of a configuration's files are noticed, however they come about."""

import os

import pytest

from router.config import load
from router.config.files import Files, reading
from router.config.watching import Watching

CONFIG = """\
include: [routes.d/*.yaml]
listeners: {main: {port: 0, bind: 127.0.0.1}}
destinations: {vna: {type: folder, directory: ./vna}}
routes:
  - {name: all, when: {PatientID: {file: consent.csv, column: id}}, to: [vna]}
"""


@pytest.fixture
def site(tmp_path):
    """Its files read as one configuration; a function that reads them again."""
    (tmp_path / "routes.d").mkdir()
    (tmp_path / "consent.csv").write_text("id\nP1\n")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)

    def read():
        files = Files()
        with reading(files):
            load(path)
        return files

    return tmp_path, read


def by_replacing(directory):
    (directory / "new").write_text(CONFIG + "# new\n")
    os.replace(directory / "new", directory / "config.yaml")


def in_place(directory):
    with (directory / "config.yaml").open("a") as file:
        file.write("# more\n")


def by_deleting(directory):
    (directory / "config.yaml").unlink()


def by_including_one_more(directory):
    (directory / "routes.d" / "more.yaml").write_text("routes: [{name: more, to: [vna]}]")


def in_a_list(directory):
    (directory / "consent.csv").write_text("id\nP2\n")


@pytest.mark.parametrize(
    "change", [by_replacing, in_place, by_deleting, by_including_one_more, in_a_list]
)
def test_a_change_is_noticed(site, change, wait_until):
    directory, read = site
    files, told = read(), []
    assert not files.changed()
    watching = Watching(lambda: files, lambda: told.append(1))
    watching.start()
    change(directory)
    wait_until(lambda: told)
    watching.stop()


def test_the_second_replacement_is_noticed_as_the_first(site, wait_until):
    directory, read = site
    current, told = [read()], []

    def changed():
        current.append(read())
        told.append(1)

    watching = Watching(lambda: current[-1], changed)
    watching.start()
    for number in (1, 2, 3):
        (directory / "new").write_text(CONFIG + f"# {number}\n")
        os.replace(directory / "new", directory / "config.yaml")
        wait_until(lambda wanted=number: len(told) == wanted)
    watching.stop()


def test_a_volume_is_swapped_as_kubernetes_does(tmp_path, wait_until):
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "config.yaml").write_text(f"# {number}\n")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
    files, told = Files(), []
    files.read(tmp_path / "config.yaml", keep=True)
    watching = Watching(lambda: files, lambda: told.append(1))
    watching.start()
    (tmp_path / "..next").symlink_to("..2")
    os.replace(tmp_path / "..next", tmp_path / "..data")
    wait_until(lambda: told)
    watching.stop()


def test_a_file_written_again_as_it_was_is_no_change(site):
    directory, read = site
    files = read()
    (directory / "config.yaml").write_text(CONFIG)
    assert not files.changed()


def test_each_file_is_seen_in_one_state(site):
    directory, _ = site
    files = Files()
    with reading(files):
        before = files.read(directory / "consent.csv")
        (directory / "consent.csv").write_text("id\nP2\n")
        assert files.read(directory / "consent.csv") == before
    assert files.changed()
    assert directory / "consent.csv" not in files.texts, "only what a rollback restores is kept"
