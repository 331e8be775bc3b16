"""`recall findings FILE`: what was measured along the trace of a CAPA or a nonconformity, on the command line.

Exit code 2: there is no such file, or the database cannot be reached; one line says which.
"""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli_token import AsJson, DatabaseUrl, refuse, with_database
from db.engine import SessionFactory
from db.repositories import findings
from models.schemas_findings import FindingKind

_out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
_SHOWN = {
    "inspection": ("product_code", "lot", "characteristic", "result", "result_text", "lower", "upper", "unit"),
    "parameter": ("product_code", "lot", "step", "characteristic", "result", "lower", "upper", "unit"),
    "supplier_lot": ("product_code", "supplier_lot", "share_of_affected", "share_of_comparable"),
    "excursion": ("device", "document_no", "location_code", "side", "peak", "unit", "starts_at", "minutes", "lots"),
    "complaint": ("recall", "complaint", "severity", "product_code", "lot"),
}


def show_findings(
    file: Annotated[
        str, typer.Argument(help="RC-2026-000001/capas/1, CA-2026-000012 or NC-2026-000012", show_default=False)
    ],
    kind: Annotated[FindingKind | None, typer.Option("--kind", help="Only of this kind")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most")] = 1000,
    as_json: AsJson = False,
    database_url: DatabaseUrl = "",
) -> None:
    """What was measured along the trace: by kind, affected lots first; with --json everything that is known of each."""

    async def work(sessions: SessionFactory) -> tuple[findings.Summary, list[dict[str, Any]]]:
        async with sessions() as session:
            try:
                subject = await findings.named(session, file)
            except LookupError as error:
                refuse(str(error))
            rows = await findings.page(session, subject, kind=kind, after=findings.FIRST, limit=limit)
            return await findings.summary(session, subject), [dict(each.detail) for each in rows]

    summary, rows = with_database(database_url, work)
    if as_json:
        body = {name: getattr(summary, name) for name in summary.__dataclass_fields__} | {"items": rows}
        sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False, default=str) + "\n")
        return
    table = Table("kind", "relation", "what")
    for row in rows:
        said = ", ".join(f"{name} {row[name]}" for name in _SHOWN[row["kind"]] if row[name] is not None)
        table.add_row(row["kind"], row["relation"], said)
    _out.print(table)
    _out.print(", ".join(f"{number} {name}" for name, number in summary.findings.items()), markup=False)


__all__ = ["show_findings"]
