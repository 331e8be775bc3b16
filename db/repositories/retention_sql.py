"""The statements that delete the file of a recall, derived from the foreign keys so that no table is forgotten.

A migration holds them as a function that runs with the owner's rights, because the application's role cannot delete
a record. A test compares the function in force with what is derived here: a new table needs a migration that renews
the function. The audit trail is not among them; it stays, with the tombstone as its last event.
"""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from sqlalchemy.dialects import postgresql

from db.repositories.dossier_plan import hanging, plan

LOOSE: Final = (
    (
        "inbound_message",
        (
            "settled_in = p_number OR (settled_in IS NULL AND contact_id IN (SELECT contact_id"
            " FROM delivery JOIN campaign ON campaign.id = campaign_id WHERE recall_number = p_number) AND NOT EXISTS"
            " (SELECT FROM delivery AS other JOIN campaign ON campaign.id = other.campaign_id"
            " WHERE other.contact_id = inbound_message.contact_id AND campaign.recall_number <> p_number))"
        ),
    ),
    (
        "idempotency_key",
        (
            "recall_number = p_number OR (method_path LIKE '%/recalls/' || p_number || '/%'"
            " AND method_path NOT LIKE '%/deletion/approve')"
        ),
    ),
    ("stock_claim", "claimant = p_number"),
    ("goods_document_block", "claimant = p_number"),
    ("refused_access", "recall_number = p_number"),
)
"""Tables without a foreign key to the recall, with the rows that go with it.

What a recipient wrote, whenever, stays only as long as another recall that told them is kept; that may be the older of
the two, and deleted first. A message that a person found to belong to a recall is evidence of that one and goes with
it, whoever wrote it.
"""
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
_PARAMETER: Final = "p_number"
_WIDTH: Final = 110


def deletions() -> Iterator[tuple[str, str]]:
    """(table, condition) in an order that the foreign keys allow; the recall itself comes last."""
    yield from LOOSE
    owned = hanging()
    for each in plan():
        if each.table.name in owned:
            compiled = str(each.owned.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}))
            yield each.table.name, " ".join(compiled.replace("%(number)s::VARCHAR", _PARAMETER).split())


def delete_block() -> str:
    """The PL/pgSQL statements that delete and count, table by table."""
    lines = []
    for table, condition in deletions():
        statement = f"DELETE FROM {table} WHERE {condition};"  # noqa: S608 - names of our own tables
        lines += wrap(statement, _WIDTH, initial_indent="    ", subsequent_indent="        ")
        lines.append(f"    GET DIAGNOSTICS n = ROW_COUNT; counts := counts || jsonb_build_object('{table}', n);")
    return "\n".join(lines)


__all__ = ["LOOSE", "delete_block", "deletions"]
