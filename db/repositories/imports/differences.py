"""Field by field, what a file says against what is on record: the words of a reject row, built by SQL."""

from collections.abc import Sequence

from psycopg import sql


def composed(template: str, /, **parts: str) -> sql.SQL:
    """SQL put together from this package's own constants (never from values) by `<name>` marks."""
    for name, part in parts.items():
        template = template.replace(f"<{name}>", part)
    return sql.SQL(template)


def pairs(fields: Sequence[tuple[str, str, str]]) -> str:
    """A VALUES list `d(nr, field, here, there)` of (field name, expression here, expression on record)."""
    rows = (f"({nr}, '{name}', ({here})::text, ({there})::text)" for nr, (name, here, there) in enumerate(fields))
    return f"(VALUES {', '.join(rows)}) AS d(nr, field, here, there)"


JOINED = """
    string_agg(d.field, ' | ' ORDER BY d.nr) AS field,
    string_agg(coalesce(d.here, ''), ' | ' ORDER BY d.nr) AS value,
    string_agg(format('%s: %s here, %s %s', d.field, coalesce(quote_literal(d.here), 'nothing'),
        coalesce(quote_literal(d.there), 'nothing'), <whence>), ' | ' ORDER BY d.nr) AS reason
"""
"""Aggregates differing pairs `d` into one finding; `<whence>` says where the other value stands."""
