"""How much PostgreSQL has to look at for each statement, in rows: a figure that no busy machine changes.

What triggers do is not counted, foreign keys among them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

_EXPLAINED = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


@dataclass
class Work:
    """Rows that each statement's plan handled, by the statement's text."""

    rows: dict[str, float] = field(default_factory=dict)

    def dearest(self) -> float:
        """The most rows that one run of a statement handled."""
        return max(self.rows.values())

    def heaviest(self, count: int = 5) -> list[str]:
        """The statements that handled most, for a failed test's message."""
        ranked = sorted(self.rows.items(), key=lambda item: -item[1])[:count]
        return [f"{rows:,.0f} rows: {' '.join(text.split())[:160]}" for text, rows in ranked]


@contextmanager
def measured(engine: AsyncEngine) -> Iterator[Work]:
    """Explain with figures, and undo, each statement before it runs; keep the dearest run of each text."""
    work, inside = Work(), False

    def explain(conn: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        nonlocal inside
        if inside or many or not statement.lstrip().upper().startswith(_EXPLAINED):
            return
        inside = True
        try:
            conn.exec_driver_sql("SAVEPOINT explained")
            answer = conn.exec_driver_sql("EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) " + statement, parameters)
            plan = answer.scalar_one()
            conn.exec_driver_sql("ROLLBACK TO SAVEPOINT explained")
        finally:
            inside = False
        (top,) = plan if isinstance(plan, list) else json.loads(plan)
        work.rows[statement] = max(work.rows.get(statement, 0), _handled(top["Plan"]))

    event.listen(engine.sync_engine, "before_cursor_execute", explain)
    try:
        yield work
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", explain)


def _handled(node: dict[str, Any]) -> float:
    """Rows a node and those below it gave or threw away, over all their runs."""
    rows: float = sum(
        node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Join Filter", "Rows Removed by Filter")
    )
    return rows * float(node["Actual Loops"]) + sum(_handled(below) for below in node.get("Plans", ()))
