"""Tables that a revision adds to a recall's file are deleted with it: their statements join `delete_recall_file`.

The function in force is read from the database, so that revisions written side by side add to each other. New
statements come first: nothing older refers to a new table.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

_FIRST = "    DELETE FROM "
_DEFINITION = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'delete_recall_file'"


def join(*tables: tuple[str, str]) -> None:
    """Delete and count rows of these tables too: (table, condition), those that refer before those they refer to."""
    found = _definition()
    op.execute(found.replace(_FIRST, _statements(tables) + _FIRST, 1))


def leave(*tables: tuple[str, str]) -> None:
    """Take out what `join` put in with the same tables."""
    op.execute(_definition().replace(_statements(tables), "", 1))


def _definition() -> str:
    return str(op.get_bind().execute(sa.text(_DEFINITION)).scalar_one())


def _statements(tables: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f"    DELETE FROM {table} WHERE {condition};\n"  # noqa: S608 - names of our own tables
        f"    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('{table}', n);\n"
        for table, condition in tables
    )


__all__ = ["join", "leave"]
