"""`recall up | status | down` on the command line."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from stack.console import say
from stack.errors import StackError
from stack.options import Ports, StackOptions
from stack.shutdown import down as stop_stack
from stack.status import status as read_status
from stack.status import table

StateDir = Annotated[
    Path, typer.Option("--state-dir", envvar="RECALL_STATE_DIR", help="Folder that keeps everything of the stack.")
]
_DEFAULT_STATE = Path(".recall")


def leave(code: int) -> NoReturn:
    """End the process at once: temporalio's threads sometimes abort an orderly interpreter exit."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def fail(error: StackError) -> NoReturn:
    """Print the one line and end with code 2."""
    sys.stderr.write(f"recall: {error}\n")
    leave(2)


def register(app: typer.Typer) -> None:
    """Add the three commands to the `recall` command."""

    @app.command("up")
    def up_command(
        state_dir: StateDir = _DEFAULT_STATE,
        port_base: Annotated[
            int | None,
            typer.Option(help="Count all ports up from here (PostgreSQL first); RECALL_*_PORT still win."),
        ] = None,
        workers: Annotated[int, typer.Option(min=1, max=32, help="Worker processes.")] = 1,
        ready_file: Annotated[Path | None, typer.Option(help="JSON of all addresses, written when all is up.")] = None,
        pace_allowed: Annotated[
            bool, typer.Option("--pace-allowed", help="Allow recalls at a faster pace (demo, drills).")
        ] = False,
        without: Annotated[
            list[str] | None, typer.Option(help="Leave out api, worker, mail or sms; repeatable.")
        ] = None,
    ) -> None:
        """Start everything that has no real address configured, and keep it running until Ctrl-C."""
        try:
            options = StackOptions(
                state_dir, Ports.resolve(port_base), workers, pace_allowed, ready_file, frozenset(without or ())
            )
            from stack.launcher import up  # noqa: PLC0415 - database and Temporal libraries, for this command only

            up(options)
        except StackError as error:
            fail(error)
        leave(0)

    @app.command("status")
    def status_command(state_dir: StateDir = _DEFAULT_STATE) -> None:
        """Show every part; exit code 0 if all work, 1 if one does not."""
        try:
            all_up, rows = read_status(Path(os.path.realpath(state_dir)))
        except StackError as error:
            fail(error)
        sys.stdout.write(table(rows) + "\n")
        leave(0 if all_up else 1)

    @app.command("down")
    def down_command(state_dir: StateDir = _DEFAULT_STATE) -> None:
        """Stop the stack, also one whose launcher was killed."""
        try:
            stop_stack(Path(os.path.realpath(state_dir)), say)
        except StackError as error:
            fail(error)
        leave(0)
