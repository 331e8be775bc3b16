"""`recall policy check FILE...`: whether regulation profiles can be used, and what to look at before they are.

One line per fault, `file: path: what was expected`; warnings are marked and do not fail. Exit code 0: no fault, 2: some
file has one or cannot be read.
"""

import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from domain.policy import policy_hash
from domain.policy_report import Report, check_text
from domain.policy_text import MAX_CHARACTERS, one_line

_CALENDARS: Final = Path(__file__).parent / "policies" / "calendars"
_MAX_LINES: Final = 200
"""Lines of one kind printed per file."""


class _UnreadableError(Exception):
    """A file whose text cannot be had; the message says why."""


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Regulation profiles (YAML)")],
    calendars: Annotated[Path, typer.Option("--calendars", help="Folder of yearly calendar tables")] = _CALENDARS,
    on: Annotated[
        datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Day of the check, instead of today")
    ] = None,
) -> None:
    """Check regulation profiles: each fault with its path, and warnings about what is not confirmed."""
    today = on.date() if on else datetime.now(UTC).date()
    tables = {path.stem: text for path in sorted(calendars.glob("*.yaml")) if (text := _text_or_none(path)) is not None}
    failed = False
    for file in files:
        name = one_line(str(file))
        try:
            report = check_text(_text(file), today, tables)
        except _UnreadableError as error:
            report = Report(None, (f"file: {error}",), ())
        failed = failed or bool(report.faults)
        for line in _lines(report, today):
            typer.echo(f"{name}: {one_line(line)}")
    if failed:
        raise typer.Exit(2)


def _lines(report: Report, today: date) -> Iterator[str]:
    yield from _cut(list(report.faults), "faults")
    yield from (f"warning: {line}" for line in _cut(list(report.warnings), "warnings"))
    if report.policy is not None:
        state = "in force" if report.policy.in_force(today) else "not in force today"
        sha = policy_hash(report.policy)[:12]
        yield f"ok: {report.policy.id} version {report.policy.version}, {state}, content {sha}"


def _cut(lines: list[str], what: str) -> list[str]:
    rest = len(lines) - _MAX_LINES
    return lines if rest <= 0 else [*lines[:_MAX_LINES], f"and {rest} more {what}"]


def _text(path: Path) -> str:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise _UnreadableError("expected a file, this is a folder or a device")
        if about.st_size > 4 * MAX_CHARACTERS:
            raise _UnreadableError(f"expected at most {MAX_CHARACTERS} characters, the file has {about.st_size} bytes")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _UnreadableError(f"expected UTF-8, byte {error.start + 1} is none") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _UnreadableError(f"cannot be read: {reason}") from error


def _text_or_none(path: Path) -> str | None:
    try:
        return _text(path)
    except _UnreadableError:
        return None
