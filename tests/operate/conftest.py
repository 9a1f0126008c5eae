"""Routers and peers as the stories start them."""

from tests.story.conftest import run_router, started, storescp

__all__ = ["run_router", "started", "storescp"]
