"""The `recall` command: the stack, imports, tokens, audit and the OpenAPI file, each in its own sub-app.

Sub-apps live beside what they command; this module only puts them together and may import everything.
"""

import os
from pathlib import Path

import typer

from stack.commands import register
from stack.shared_environment import borrow

app = typer.Typer(
    name="recall",
    help="Runs medical-device recalls from the first alarm to the closed file.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
register(app)


@app.callback()
def root(context: typer.Context) -> None:
    """Commands other than `up` use the stack that runs on RECALL_STATE_DIR (default `.recall`)."""
    if context.invoked_subcommand not in {"up", "down", "status"}:
        borrow(Path(os.environ.get("RECALL_STATE_DIR", ".recall")))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
