"""The command `dicom-router`: exit code 0 is fine, 1 failed or attention needed, 2 wrong usage."""

from __future__ import annotations

from importlib import import_module

import click

_HOMES = {  # a command's module is imported when it is run
    "cli_config": ("check", "diff", "schema"),
    "cli_doctor": ("doctor",),
    "cli_explain": ("conformance", "explain", "replay", "test"),
    "cli_index": ("index",),
    "cli_passcode": ("passcode",),
    "cli_queue": ("pause", "queue", "resume", "status", "where"),
    "cli_reload": ("history", "reload", "rollback"),
    "cli_run": ("demo", "init", "plugins", "run"),
    "cli_scu": ("echo", "send"),
    "cli_scu_find": ("find",),
    "cli_scu_retrieve": ("get", "move"),
}
_COMMANDS = {name: home for home, names in _HOMES.items() for name in names}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        home = _COMMANDS.get(cmd_name)
        if home is None:
            return None
        command: click.Command = getattr(import_module(f"router.operate.{home}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dicom-router", message="dicom-router %(version)s")
def main() -> None:
    """A DICOM router: listeners, routes and destinations from one YAML file."""


if __name__ == "__main__":
    main()
