"""The `recall` command: the stack, imports, tokens, audit and the OpenAPI file, each in its own sub-app.

Sub-apps live beside what they command; this module only puts them together and may import everything.
"""

import json
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

from stack.commands import leave, register
from stack.shared_environment import borrow

_ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = {
    "import": ("cli_wake", "import_app"),
    "trace": ("cli_trace", "trace_app"),
    "token": ("cli_token", "token_app"),
    "audit": ("cli_audit", "audit_app"),
    "tasks": ("cli_tasks", "tasks_app"),
    "staff": ("cli_staff", "staff_app"),
    "keepers": ("cli_keepers", "keepers_app"),
    "policy": ("cli_policy", "policy_app"),
    "retention": ("cli_retention", "retention_app"),
    "codes": ("cli_codes", "codes_app"),
    "nonconformities": ("cli_nonconformities", "nonconformities_app"),
    "costs": ("cli_money", "costs_app"),
    "accounts": ("cli_money", "accounts_app"),
    "journals": ("cli_money", "journals_app"),
    "dossier": ("cli_dossier", "dossier"),
    "findings": ("cli_findings", "show_findings"),
    "sample-chain": ("imports.cli", "sample_chain"),
}
"""Command or sub-app -> its module and name there."""


class _Commands(TyperGroup):
    """Loads what a command needs when it is called: `recall status` waits for no code of databases or Temporal."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the help."""
        return [*(name for name in super().list_commands(ctx) if name not in _ELSEWHERE), *_ELSEWHERE]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name; for an unknown one all are loaded, to suggest what may have been meant."""
        known = cmd_name in _ELSEWHERE or cmd_name in self.commands
        for name in [cmd_name] if known else _ELSEWHERE:
            if name in _ELSEWHERE and name not in self.commands:
                self.add_command(_loaded(name))
        return super().get_command(ctx, cmd_name)


def _loaded(name: str) -> Any:
    module, attribute = _ELSEWHERE[name]
    found, part = getattr(import_module(module), attribute), typer.Typer()
    if isinstance(found, typer.Typer):
        part.add_typer(found)
    else:
        part.command(name)(found)
    return typer.main.get_group(part).commands[name]


app = typer.Typer(
    name="recall",
    cls=_Commands,
    help="Runs medical-device recalls from the first alarm to the closed file.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
register(app)


@app.callback()
def root(context: typer.Context) -> None:
    """Commands other than `up` use the stack that runs on RECALL_STATE_DIR (default `.recall`)."""
    if context.invoked_subcommand not in {"up", "down", "status", "openapi", "policy"}:
        borrow(Path(os.environ.get("RECALL_STATE_DIR", ".recall")))


@app.command("openapi")
def openapi() -> None:
    """Print the OpenAPI document of the HTTP API (`make openapi` keeps it in openapi.json)."""
    from api.app import create_app  # noqa: PLC0415 - loads the whole API, for this command only
    from settings import Settings  # noqa: PLC0415

    sys.stdout.write(json.dumps(create_app(Settings()).openapi(), indent=0, ensure_ascii=False) + "\n")
    leave(0)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
