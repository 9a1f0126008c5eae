"""All that a folder of plugins needs for the fixtures of `router.testing`."""

pytest_plugins = ["router.testing"]
