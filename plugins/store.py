"""Keeps every copy as a file: `- store: {directory: /archive, path: "{PatientID}/{...}.dcm"}`."""

from collections.abc import Iterator
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from router import Hold, Instance, PathTemplate, hookimpl, write_durably

_CHUNK = 1 << 20


class Store:
    def __init__(
        self,
        directory: Path,
        path: PathTemplate = PathTemplate("{StudyInstanceUID}/{SOPInstanceUID}.dcm"),  # noqa: B008
    ) -> None:
        self._directory = directory
        self._path = path

    @hookimpl
    def store_instance(self, instance: Instance) -> str:
        path = self._directory / self._path.render(instance)
        if path.exists() and _sop_instance_uid(path) != instance.dataset.SOPInstanceUID:
            raise Hold("another instance is kept at this path: put {SOPInstanceUID} into it")
        write_durably(path, _content(instance))
        return str(path)


def _content(instance: Instance) -> Iterator[bytes]:
    with instance.open() as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _sop_instance_uid(path: Path) -> str:
    return str(read_file_meta_info(path).get("MediaStorageSOPInstanceUID", ""))
