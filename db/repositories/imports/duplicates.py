"""The same key twice in one file: the first row counts, an equal repeat is already there, any other is rejected."""

from collections.abc import Sequence

from db.repositories.imports.differences import composed
from db.repositories.imports.stage import Cursor

_REPEATS = """
    CREATE TEMP TABLE imp_repeat ON COMMIT DROP AS
    SELECT s.line, first_value(s.line) OVER w AS first
    FROM imp_resolved s
    WHERE s.<key> IN (SELECT <key> FROM imp_resolved GROUP BY <key> HAVING count(*) > 1)
    WINDOW w AS (PARTITION BY s.<key> ORDER BY s.line)
"""

_EQUAL = """
    UPDATE imp_resolved s SET repeats = r.first
    FROM imp_repeat r JOIN imp_resolved f ON f.line = r.first
    WHERE r.line = s.line AND r.first < r.line AND s.problem_reason IS NULL AND f.problem_reason IS NULL
        AND (<here>) IS NOT DISTINCT FROM (<there>)
"""

_DIFFERENT = """
    UPDATE imp_resolved s SET problem_field = '<key>', problem_value = s.<key>::text,
        problem_reason = 'line ' || r.first || ' has the same <key>'
            || CASE WHEN f.problem_reason IS NULL THEN ' with other content' ELSE ' and is rejected' END
    FROM imp_repeat r JOIN imp_resolved f ON f.line = r.first
    WHERE r.line = s.line AND r.first < r.line AND s.problem_reason IS NULL AND s.repeats IS NULL
"""


async def mark_repeats(cursor: Cursor, key: str, content: Sequence[str]) -> None:
    """Mark rows whose `key` an earlier row of the same file has."""
    await cursor.execute(composed(_REPEATS, key=key))
    if cursor.rowcount == 0:
        return
    here, there = (", ".join(f"{row}.{name}" for name in content) for row in "sf")
    await cursor.execute(composed(_EQUAL, here=here, there=there))
    await cursor.execute(composed(_DIFFERENT, key=key))


_REJECTED_SINCE = """
    UPDATE imp_resolved s SET problem_field = '<key>', problem_value = s.<key>::text,
        problem_reason = 'line ' || s.repeats || ' has the same <key> and is rejected'
    FROM imp_resolved f WHERE f.line = s.repeats AND f.problem_reason IS NOT NULL
"""


async def reject_repeats_of_rejected(cursor: Cursor, key: str) -> None:
    """An equal repeat is there only if the first row made it through the later checks too."""
    await cursor.execute(composed(_REJECTED_SINCE, key=key))
