"""The `recall` command: the stack, imports, tokens, audit and the OpenAPI file, each in its own sub-app.

Sub-apps live beside what they command; this module only puts them together and may import everything.
"""

import json
import os
import sys
from pathlib import Path

import typer

from cli_audit import audit_app
from cli_codes import codes_app
from cli_dossier import dossier
from cli_findings import show_findings
from cli_keepers import keepers_app
from cli_money import accounts_app, costs_app, journals_app
from cli_nonconformities import nonconformities_app
from cli_policy import policy_app
from cli_retention import retention_app
from cli_staff import staff_app
from cli_tasks import tasks_app
from cli_token import token_app
from cli_trace import trace_app
from cli_wake import wake_recalls
from imports.cli import import_app, on_loaded, sample_chain
from stack.commands import leave, register
from stack.shared_environment import borrow

app = typer.Typer(
    name="recall",
    help="Runs medical-device recalls from the first alarm to the closed file.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
register(app)
on_loaded(wake_recalls)
app.add_typer(import_app)
app.add_typer(trace_app)
app.add_typer(token_app)
app.add_typer(audit_app)
app.add_typer(tasks_app)
app.add_typer(staff_app)
app.add_typer(keepers_app)
app.add_typer(policy_app)
app.add_typer(retention_app)
app.add_typer(codes_app)
app.add_typer(nonconformities_app)
app.add_typer(costs_app)
app.add_typer(accounts_app)
app.add_typer(journals_app)
app.command("dossier")(dossier)
app.command("findings")(show_findings)
app.command("sample-chain")(sample_chain)


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
