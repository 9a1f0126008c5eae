"""For tests of plugins: instances as hooks get them, chains from YAML, a router, an archive.

As a pytest plugin (`pytest_plugins = ["router.testing"]`) it is fixtures for these that clean up
behind themselves; without pytest, functions and classes. PYTEST_DONT_REWRITE
"""

from router.testing.archive import Answer, Archive
from router.testing.chains import ChainUnderTest, Outcome
from router.testing.faults import cut_short, disk_full
from router.testing.instances import encode, make_association, make_dataset, make_instance
from router.testing.routers import RouterUnderTest

pytest_plugins = ("router.testing.fixtures",)

__all__ = [
    "Answer",
    "Archive",
    "ChainUnderTest",
    "Outcome",
    "RouterUnderTest",
    "cut_short",
    "disk_full",
    "encode",
    "make_association",
    "make_dataset",
    "make_instance",
]
