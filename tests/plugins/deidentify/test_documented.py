"""The examples of docs/deidentification.md are configurations in which nothing is wrong."""

from __future__ import annotations

import inspect
import re

import pytest
from router.plugins.deidentify import Deidentify
from router.plugins.deidentify.profile import OPTIONS

from tests.conftest import REPOSITORY
from tests.routing.helpers import read_config

PAGE = (REPOSITORY / "docs/deidentification.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_configuration(tmp_path, example):
    (tmp_path / "research.key").write_text("0123456789abcdef" * 2)
    if "routes:" not in example:
        example += "\nroutes: [{name: r, chain: [deid], to: [pacs]}]\n"
    read_config(tmp_path, example)


def test_every_option_is_documented():
    options = [*inspect.signature(Deidentify).parameters, *OPTIONS]
    assert [name for name in options if f"`{name}`" not in PAGE] == []
