"""What was measured on, and which versions of the peers."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

GIB = 1024**3


def machine(directory: Path) -> dict[str, str]:
    """The machine, and the filesystem that `directory` is on."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{psutil.virtual_memory().total / GIB:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "filesystem": _filesystem(directory),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    return {
        "DCMTK": _first_match(["storescp", "--version"], r"v(\d[\d.]+)"),
        "Orthanc": _first_match(["Orthanc", "--version"], r"Orthanc (\d[\d.]+)"),
        "pynetdicom": version("pynetdicom"),
    }


def _processor() -> str:
    return re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]


def _filesystem(directory: Path) -> str:
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    place = directory.resolve()
    while str(place) not in mounts:
        place = place.parent
    return mounts[str(place)]


def _first_match(command: list[str], pattern: str) -> str:
    try:
        said = subprocess.run(command, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return "not installed"
    return re.search(pattern, said)[1]
