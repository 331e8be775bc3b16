"""`recall import ...` and `recall sample-chain`: totals on standard output, everything else on standard error.

Exit code 0: loaded (or would be, in a dry run); 2: refused, nothing was loaded, one line says why.
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from db.engine import SessionFactory, make_engine, make_session_factory
from db.repositories.imports import batches
from imports.errors import ImportRefusedError
from imports.loader import Order, Progress, Report, run_import
from imports.rejects import default_path
from imports.report import batches_table, notes, progress_bar, totals_table
from imports.reverse import reverse_batch
from imports.sample_chain import generate
from imports.totals import Expected
from models.chain import ImportKind

T = TypeVar("T")

Wake = Callable[[Report], Awaitable[None]]
"""Tells running recalls of a loaded batch (`Report.late_stock`, `Report.retrace`), after its commit."""

_wakers: list[Wake] = []


def on_loaded(wake: Wake) -> None:
    """Let the composition root say how running recalls are woken; this room may not know workflows."""
    _wakers.append(wake)


import_app = typer.Typer(name="import", help="Load files of trading partners as batches.", no_args_is_help=True)

_errors = Console(stderr=True, highlight=False, soft_wrap=True)
_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)  # a pipe has no width to fit

DatabaseUrl = Annotated[
    str, typer.Option("--database-url", envvar="DATABASE_URL", show_default=False, help="postgresql:// address")
]
File = Annotated[Path, typer.Argument(help="CSV, CSV.gz or XLSX", show_default=False)]
MapFile = Annotated[Path, typer.Option("--map", help="Mapping file (YAML)", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do everything, then roll it back")]
Rejects = Annotated[
    Path | None, typer.Option("--rejects", help="File for rejected rows [default: <file>.rejects.csv here]")
]
Actor = Annotated[str, typer.Option("--actor", help="Who imports, for the record", show_default="the login name")]
ExpectRows = Annotated[int | None, typer.Option("--expect-rows", help="Rows the sender states; else nothing is loaded")]
ExpectQuantity = Annotated[
    list[str] | None,
    typer.Option("--expect-quantity", help="Sum the sender states: 123, or unit=123 for each unit of the file"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Totals as JSON")]


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _refuse(message: str) -> NoReturn:
    _errors.print(message, markup=False)
    raise typer.Exit(2)


def _with_sessions(url: str, work: Callable[[SessionFactory], Awaitable[T]]) -> T:
    """Run `work` against the database; every expected failure is one line and exit code 2."""

    async def run() -> T:
        engine = make_engine(url, application_name="recall-import", pool_size=1)
        try:
            return await work(make_session_factory(engine))
        finally:
            await engine.dispose()

    if not url:
        _refuse("no database: set DATABASE_URL, or start the stack with `recall up`")
    try:
        return asyncio.run(run())
    except ImportRefusedError as error:
        _refuse(str(error))
    except ValueError as error:
        _refuse(f"DATABASE_URL: {error}")
    except DBAPIError as error:
        _refuse(f"the database cannot be used: {str(error.orig).strip().splitlines()[0]}")


def _import(kind: ImportKind) -> Callable[..., None]:
    def command(
        file: File,
        mapping: MapFile,
        dry_run: DryRun = False,
        rejects: Rejects = None,
        actor: Actor = "",
        expect_rows: ExpectRows = None,
        expect_quantity: ExpectQuantity = None,
        as_json: AsJson = False,
        database_url: DatabaseUrl = "",
    ) -> None:
        order = Order(
            kind=kind,
            file=file,
            mapping=mapping,
            actor=actor or _login(),
            at=datetime.now(UTC),
            dry_run=dry_run,
            rejects=rejects or default_path(file, Path.cwd()),
            expected=Expected(expect_rows, tuple(expect_quantity or ())),
        )
        with progress_bar(_errors, f"{kind} {file.name}") as progress:
            report = _with_sessions(database_url, lambda sessions: _load(sessions, order, progress))
        _print(report, kind, file, as_json=as_json)

    command.__doc__ = f"Import {kind} from a file through a mapping."
    return command


async def _load(sessions: SessionFactory, order: Order, progress: Progress) -> Report:
    report = await run_import(sessions, order, progress)
    if report.batch_id is not None and (report.late_stock or report.retrace):
        for wake in _wakers:
            await wake(report)
    return report


def _print(report: Report, kind: ImportKind, file: Path, *, as_json: bool) -> None:
    if as_json:
        body = report.totals.as_json() | {"batch": report.batch_id, "rejects": str(report.rejects or "") or None}
        _out.print_json(json.dumps(body))
    else:
        title = f"batch {report.batch_id}" if report.batch_id is not None else "dry run, nothing was loaded"
        _out.print(f"{kind} from {file.name}: {title}", markup=False, soft_wrap=True)
        _out.print(totals_table(report.totals))
        for note in notes(report.totals):
            _out.print(note, markup=False, soft_wrap=True)
    for number in report.late_stock:
        done = "was put" if report.batch_id is not None else "would be put"
        _errors.print(f"recall {number}: stock of this batch {done} under its hold", markup=False)
    rejected = report.totals.by_outcome["rejected"].rows
    if rejected:
        _errors.print(f"{rejected} rows were rejected; they are in {report.rejects} with the reasons", markup=False)


for _kind in ImportKind:
    import_app.command(_kind.value)(_import(_kind))


@import_app.command("batches")
def batches_command(
    limit: Annotated[int, typer.Option(help="How many, newest first", min=1, max=1000)] = 20,
    database_url: DatabaseUrl = "",
) -> None:
    """List the latest batches with their totals."""

    async def read(sessions: SessionFactory) -> None:
        async with sessions() as session:
            _out.print(batches_table(await batches.list_batches(session, limit=limit)))

    _with_sessions(database_url, read)


@import_app.command("reverse")
def reverse_command(
    batch: Annotated[int, typer.Argument(help="Number of the batch", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why, for the audit", show_default=False)],
    actor: Actor = "",
    database_url: DatabaseUrl = "",
) -> None:
    """Take a batch back, if nothing has used what it brought."""
    at = datetime.now(UTC)
    if not reason.strip():
        _refuse("--reason: say why the batch is reversed")

    async def reverse(sessions: SessionFactory) -> None:
        done = await reverse_batch(sessions, batch, actor=actor or _login(), at=at, reason=reason.strip())
        gone = ", ".join(f"{count} {table}" for table, count in done.removed.items()) or "nothing"
        _out.print(f"batch {batch} is reversed; removed: {gone}", markup=False)

    _with_sessions(database_url, reverse)


def sample_chain(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; made if missing", show_default=False)],
    seed: Annotated[int, typer.Option(help="Same seed and size, same files")] = 1,
    size: Annotated[int, typer.Option(help="Product lots", min=8, max=20_000)] = 60,
) -> None:
    """Write a made-up supply chain as CSV files with a manifest of its known truths."""
    try:
        written = generate(folder, seed=seed, size=size)
    except OSError as error:
        _refuse(f"{folder}: {error.strerror}")
    for path in written:
        _out.print(str(path), markup=False, soft_wrap=True)
