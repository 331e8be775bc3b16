"""What a person sees of an import: a progress bar while it runs, and tables of totals and batches."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from imports.totals import Sums, Totals, plain
from models.chain import ImportBatch


@contextmanager
def progress_bar(console: Console, label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over the bytes of the file; where standard error is no terminal it stays silent."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, size: progress.update(task, completed=done, total=size)


def totals_table(totals: Totals) -> Table:
    """Rows and quantities: read = new + already there + rejected."""
    units = sorted({unit for sums in totals.by_outcome.values() for unit in sums.quantity})
    table = Table()
    table.add_column("")
    table.add_column("rows", justify="right")
    for unit in units:
        table.add_column(unit or "quantity as stated", justify="right")
    if units:
        table.add_column("units of use", justify="right")
    lines: list[tuple[str, Sums]] = [("read", totals.read)]
    lines += [(name.replace("_", " "), sums) for name, sums in totals.by_outcome.items()]
    for name, sums in lines:
        cells = [plain(sums.quantity[unit]) if unit in sums.quantity else "0" for unit in units]
        loaded = plain(sums.units_of_use) if name in {"new", "already there"} else ""
        table.add_row(name, str(sums.rows), *cells, *([loaded] if units else []))
    return table


def notes(totals: Totals) -> Iterator[str]:
    """What the table does not say, one line each."""
    brought = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in totals.created.items())
    yield f"brought: {brought or 'nothing'}"
    for count, words in (
        (totals.without_lot, "without a lot (gaps of the trace)"),
        (totals.kept_as_recorded, "differ from master data on record, which was kept"),
        (totals.below_hold, "counts are below the quantity under a hold: held goods are missing"),
        (totals.unreadable_quantities, "rejected with an unreadable quantity, in no sum"),
        (totals.blank_lines, "blank lines, not counted as rows"),
    ):
        if count:
            yield f"{count} {words}"


def batches_table(batches: Sequence[ImportBatch]) -> Table:
    """One line per batch."""
    table = Table(title="Import batches", title_justify="left")
    for name in ("batch", "loaded", "by", "kind", "from", "file", "state"):
        table.add_column(name)
    for name in ("read", "new", "there", "rejected"):
        table.add_column(name, justify="right")
    for batch in batches:
        state = batch.state if batch.reversed_by is None else f"{batch.state} by {batch.reversed_by}"
        counts = [str(batch.totals.get(name, "")) for name in ("read", "new", "already_there", "rejected")]
        loaded = batch.loaded_at.strftime("%Y-%m-%d %H:%M")
        table.add_row(
            str(batch.id), loaded, batch.actor, batch.kind, batch.source_system, batch.file_name, state, *counts
        )
    return table
