"""`recall policy deadlines`: every time limit of the regulation profiles with its clock, basis and source.

Printed as Markdown; `docs/deadlines.md` is exactly this output (`make deadlines`), so the document cannot drift from
the figures a recall runs on. Exit code 2: a profile cannot be read; one line says why. `check` and the other commands
of the group live in files of their own.
"""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli_policy_change import register
from cli_policy_check import check
from cli_policy_dry_run import dry_run_command
from domain.policy import parse_policy
from domain.policy_tables import deadline_tables
from stack.shared_environment import borrow

policy_app = typer.Typer(name="policy", help="Regulation profiles.", no_args_is_help=True)
policy_app.command()(check)
policy_app.command("dry-run")(dry_run_command)
register(policy_app)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_PROFILES = Path(__file__).parent / "policies"


@policy_app.callback()
def _group(context: typer.Context) -> None:
    """Regulation profiles."""
    if context.invoked_subcommand == "seed":
        borrow(Path(os.environ.get("RECALL_STATE_DIR", ".recall")))


@policy_app.command()
def deadlines(
    folder: Annotated[Path, typer.Option("--folder", help="Folder of regulation profiles")] = _PROFILES,
) -> None:
    """Print every time limit of the profiles as Markdown."""
    try:
        policies = [parse_policy(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    except (OSError, ValueError) as error:
        _errors.print(f"{folder}: {' '.join(str(error).split())}", markup=False)
        raise typer.Exit(2) from error
    if not policies:
        _errors.print(f"{folder}: there is no regulation profile here", markup=False)
        raise typer.Exit(2)
    typer.echo(deadline_tables(policies), nl=False)
