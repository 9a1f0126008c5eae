"""Every configuration there was, as files in the spool: when, whose, what became of it."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.config.files import Files

_KEPT = 100  # configurations, the one in effect among them


class Access(NamedTuple):
    """Whose a file is, and who may do what with it, as numbers."""

    mode: int
    owner: int
    group: int


@dataclass(frozen=True)
class Entry:
    """One configuration that was tried; `files` are its YAML and plugin files, the main one first,
    `changed` those of them that were others before. `who` owns what changed; `access` is each
    file's, null where it was gone by then.
    """

    number: int
    time: str
    result: Literal["applied", "refused"]
    by: str
    who: str
    reason: str
    digest: str
    files: tuple[str, ...]
    changed: tuple[str, ...]
    access: tuple[Access | None, ...] = ()


class History:
    """`DIRECTORY/000012/record.json` and its files beside it, numbered as they are listed there.

    Numbers are the generations'; instances remember theirs. Nobody else may read them: they may
    hold passwords.
    """

    def __init__(self, directory: Path, main: Path) -> None:
        self._directory = directory
        self._main = main.absolute()
        self.current = 0  # the number of what is in effect

    def begin(self, files: Files) -> int:
        """The number of the configuration a router starts with: its own, if it was the last."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        applied = [each for each in self.entries() if each.result == "applied"]
        if applied and applied[-1].digest == files.digest.hex():
            self.current = applied[-1].number
        else:
            self.add(self.next_number, files, "start")
        return self.current

    @property
    def next_number(self) -> int:
        return max((int(path.name) for path in self._paths()), default=0) + 1

    def add(self, number: int, files: Files, by: str) -> None:
        """This one is in effect now."""
        self._write(number, files, by, "applied", "")
        self.current = number
        for path in self._paths()[:-_KEPT]:
            if int(path.name) != self.current:
                shutil.rmtree(path, ignore_errors=True)

    def add_refused(self, files: Files, by: str, reason: str) -> None:
        """This one was tried in vain; the same once more is not remembered again."""
        entries = self.entries()
        digest = files.digest.hex()
        if not (entries and (entries[-1].result, entries[-1].digest) == ("refused", digest)):
            self._write(self.next_number, files, by, "refused", reason)

    def entries(self) -> list[Entry]:
        """In order of their numbers."""
        return [entry for path in self._paths() if (entry := _read(path))]

    def previous(self) -> int | None:
        """The number of what was in effect before."""
        numbers = [each.number for each in self.entries() if each.result == "applied"]
        return max((number for number in numbers if number < self.current), default=None)

    def texts(self, number: int) -> dict[Path, bytes]:
        """The files of a configuration. Raises ValueError where it is not remembered."""
        path = self._path(number)
        entry = _read(path)
        if entry is None:
            raise ValueError(f"there is no generation {number} in the history")
        return {
            Path(file): (path / str(index)).read_bytes() for index, file in enumerate(entry.files)
        }

    def access(self, number: int) -> dict[Path, Access]:
        """The access of its files that is remembered, for those that are gone."""
        entry = _read(self._path(number))
        pairs = zip(entry.files, entry.access, strict=False) if entry else ()
        return {Path(file): access for file, access in pairs if access}

    def _write(
        self,
        number: int,
        files: Files,
        by: str,
        result: Literal["applied", "refused"],
        reason: str,
    ) -> None:
        texts = files.texts
        before = self.texts(self.current) if self.current else {}
        changed = [path for path, text in texts.items() if before.get(path) != text]
        entry = Entry(
            number=number,
            time=datetime.now(UTC).isoformat(),
            result=result,
            by=by,
            who=_owner(changed or [self._main]),
            reason=reason,
            digest=files.digest.hex(),
            files=tuple(str(path) for path in texts),
            changed=tuple(str(path) for path in [*changed, *(before.keys() - texts.keys())]),
            access=tuple(map(_access, texts)),
        )
        new = self._directory / f".{number}"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        for index, text in enumerate(texts.values()):
            _write(new / str(index), text)
        _write(new / "record.json", json.dumps(asdict(entry), indent=2).encode())
        new.rename(self._path(number))

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:06}"

    def _paths(self) -> list[Path]:
        return sorted(path for path in self._directory.glob("[0-9]*") if path.name.isdecimal())


def write_back(
    texts: Mapping[Path, bytes],
    now: Mapping[Path, bytes],
    access: Mapping[Path, Access] | None = None,
) -> None:
    """Put these files in the place of those there are `now`; what is too many is renamed, so that
    no `include` finds it. One that is gone gets the `access` given, if we may.

    Raises OSError, and nothing is changed then.
    """
    undo: list[tuple[Path, bytes | None]] = []
    try:
        for path, text in texts.items():
            if now.get(path) != text:
                undo.append((path, now.get(path)))
                _replace(path, text, (access or {}).get(path))
        for path in now.keys() - texts.keys():
            undo.append((path, now[path]))
            path.rename(_aside(path))
    except OSError:
        for path, text_before in undo:
            if text_before is not None:
                _replace(path, text_before)
        raise


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.rolled-back")


def _replace(path: Path, text: bytes, remembered: Access | None = None) -> None:
    """As an editor does: behind a symbolic link, with the mode and owner there are or were."""
    target = path.resolve()
    new = target.with_name(f".{target.name}.new")
    _write(new, text)
    if access := _access(target) or remembered:
        os.chmod(new, access.mode)
        if os.geteuid() == 0:
            os.chown(new, access.owner, access.group)
    new.replace(target)


def _access(path: Path) -> Access | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return Access(found.st_mode & 0o7777, found.st_uid, found.st_gid)


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Entry | None:
    try:
        found = json.loads((path / "record.json").read_bytes())
        read = {key: tuple(found[key]) for key in ("files", "changed")}
        access = (each and Access(*each) for each in found.get("access", ()))
        return Entry(**found | read | {"access": tuple(access)})
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _owner(paths: list[Path]) -> str:
    """Who owns the file that was written last."""
    found = []
    for path in paths:
        try:
            found.append((path.stat().st_mtime, path.stat().st_uid))
        except OSError:
            continue
    if not found:
        return ""
    uid = max(found)[1]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
