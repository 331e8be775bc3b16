"""Which rows of which table belong to a recall's file, derived from the foreign keys so that no table is forgotten.

A table hangs on a recall when a chain of foreign keys leads from it to `recall.number`. Rows that such rows refer to
(products, lots, partners, locations ...) come along. Ties that no foreign key expresses, and tables that are left out,
are named here with their reason; a table that is neither makes a test fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, MetaData, String, Table, bindparam, false, or_, select, text

from models import tables

METADATA: Final = tables.recall.Recall.metadata
_SCOPE_LOTS: Final = "SELECT lot_id FROM scope_lot WHERE recall_number = :number"
_SCOPE_DOCUMENTS: Final = (
    f"SELECT document_id FROM goods_document_line WHERE lot_id IN ({_SCOPE_LOTS})"  # noqa: S608 - constants
    " UNION SELECT document_id FROM goods_document_block WHERE claimant = :number"
)
_TRACED: Final = (
    "WITH RECURSIVE up AS (SELECT lot_id FROM scope_lot WHERE recall_number = :number UNION SELECT g.input_lot_id"
    " FROM up JOIN lot_genealogy g ON g.output_lot_id = up.lot_id) SELECT lot_id FROM up"
)
"""The scope's lots and all that went into them."""
_PLACES: Final = f"FROM movement WHERE lot_id IN ({_TRACED})"
_SERIES: Final = (
    f"(document_no IN (SELECT document_no {_PLACES}) OR location_id IN (SELECT from_location_id {_PLACES}"
    f" UNION SELECT to_location_id {_PLACES}))"
)
_SERIES_IDS: Final = f"SELECT id FROM sensor_series WHERE {_SERIES}"  # noqa: S608 - constants
_NONCONFORMITIES: Final = "SELECT nonconformity_number FROM nonconformity_link WHERE recall_number = :number"

TIES: Final[Mapping[str, str]] = {
    "audit_head": "stream = :number",
    "refused_access": "recall_number = :number",
    "stock_claim": f"claimant = :number OR lot_id IN ({_SCOPE_LOTS})",
    "movement": f"lot_id IN ({_SCOPE_LOTS})",
    "redirect": f"lot_id IN ({_SCOPE_LOTS})",
    "lot_genealogy": f"input_lot_id IN ({_SCOPE_LOTS}) OR output_lot_id IN ({_SCOPE_LOTS})",
    "stock": f"lot_id IN ({_SCOPE_LOTS})",
    "stock_before": f"lot_id IN ({_SCOPE_LOTS})",
    "serial": f"lot_id IN ({_SCOPE_LOTS})",
    "serial_sighting": f"serial_id IN (SELECT id FROM serial WHERE lot_id IN ({_SCOPE_LOTS}))",  # noqa: S608 - constants
    "lot_measurement": (
        f"lot_id IN ({_TRACED} UNION SELECT output_lot_id FROM lot_genealogy"  # noqa: S608 - constants
        f" WHERE input_lot_id IN ({_TRACED}))"
        f" AND (NOT passed OR out_of_limits OR lot_id IN ({_TRACED}))"
    ),
    "sensor_series": _SERIES,
    "sensor_excursion": f"series_id IN ({_SERIES_IDS})",
    "sensor_reading": (
        f"series_id IN ({_SERIES_IDS}) AND (EXISTS (SELECT FROM sensor_series s"  # noqa: S608 - constants
        " WHERE s.id = series_id"
        " AND s.document_no IS NOT NULL) OR EXISTS (SELECT FROM sensor_excursion e"
        " WHERE e.series_id = sensor_reading.series_id AND sensor_reading.at BETWEEN e.starts_at AND e.ends_at))"
    ),
    "package_level": f"product_id IN (SELECT product_id FROM lot WHERE id IN ({_SCOPE_LOTS}))",  # noqa: S608 - constants
    "goods_document_block": f"claimant = :number OR document_id IN ({_SCOPE_DOCUMENTS})",
    "goods_document": f"id IN ({_SCOPE_DOCUMENTS})",
    "goods_document_line": f"document_id IN ({_SCOPE_DOCUMENTS})",
    "inbound_message": (
        "settled_in = :number OR received_at >= (SELECT created_at FROM recall WHERE number = :number) AND contact_id"
        " IN (SELECT contact_id FROM delivery JOIN campaign ON campaign.id = campaign_id WHERE recall_number = :number)"
    ),
    "harm_page": "message_id IN (SELECT id FROM inbound_message WHERE settled_in = :number)",
    "exchange_rate": (
        "currency IN (SELECT currency FROM cost_entry WHERE recall_number = :number)"
        " OR base IN (SELECT currency FROM cost_entry WHERE recall_number = :number)"
    ),
    "nonconformity_lot": f"nonconformity_number IN ({_NONCONFORMITIES})",
    "training_record": "principal IN (SELECT principal FROM signature WHERE recall_number = :number)",
    "staff": "principal IN (SELECT actor FROM audit_event WHERE stream = :number)",
    "keeper_location": "location_id IN (SELECT location_id FROM hold WHERE recall_number = :number)",
    "responsibility": "principal IN (SELECT assignee FROM task WHERE recall_number = :number)",
}
"""Table -> the rows that belong to a recall although no foreign key says so."""
_CAPAS: Final = "SELECT merged_into_id FROM capa WHERE recall_number = :number AND merged_into_id IS NOT NULL"
SHARED: Final[Mapping[str, str]] = {
    "capa": f"id IN ({_CAPAS})",
    "capa_action": f"capa_id IN ({_CAPAS})",
    "capa_entry": f"capa_id IN ({_CAPAS})",
    "capa_nonconformity": f"capa_id IN ({_CAPAS})",
    "record_code": f"capa_id IN ({_CAPAS}) OR nonconformity_number IN ({_NONCONFORMITIES})",
    "supplier_request": f"capa_id IN ({_CAPAS}) OR nonconformity_number IN ({_NONCONFORMITIES})",
    "supplier_answer": (
        "request_number IN (SELECT number FROM supplier_request"  # noqa: S608 - constants
        f" WHERE capa_id IN ({_CAPAS}) OR nonconformity_number IN ({_NONCONFORMITIES}))"
    ),
}
"""Table -> rows that are in the file too, and belong to another recall or to none: deleting this file leaves them."""

ELSEWHERE: Final[Mapping[str, str]] = {
    "audit_event": "in audit/chain.jsonl, and its evidence's events of the system stream in audit/system.jsonl",
}
EXCLUDED: Final[Mapping[str, str]] = {
    "api_token": "credentials; who did what is in the audit under the person's name",
    "signing_account": "credentials; who changed a password, was locked out or unlocked is in the stream system",
    "signing_session": "when a password was given; each signature names its period",
    "policy_version": "versions of profiles are the firm's; those the recall runs under are in pinned_policy",
    "tombstone": "what stays of a file that was deleted; this one is not",
    "push_subscription": "how a browser is reached, with its secret; what was sent to whom is in delivery",
    "keeper_skip": "rows of keepers' answers nobody could read, as they stand now; what a hold met is with the hold",
    "keeper_lot_status": "what keepers know of lots now, whichever recall it is of; what they were told is audited",
    "pacing_bucket": "how fast the installation sends at this moment, by channel; when what was sent is in delivery",
    "ledger_change": "feed of what changed in the ledger; what changed is in the records themselves",
    "goods_document_before": "former content of imported documents, kept so that an import can be reversed",
    "idempotency_key": "answers kept for repeated requests, for 30 days; what the requests did is in the record",
}
"""Table -> why it is no part of the file."""
PRIVATE: Final[Mapping[str, frozenset[str]]] = {
    "staff": frozenset({"email", "phone"}),
    "supplier_request": frozenset({"contact_email"}),
    "keeper": frozenset({"credential_variable", "webhook_variable"}),
}
"""Table -> columns left out: how to reach our own people, and where secrets are, is nobody's business outside."""


@dataclass(frozen=True)
class TablePlan:
    """How one table gets into the file."""

    table: Table
    owned: ColumnElement[bool]
    """Rows that belong to the recall (bind `number`); `false()` where rows come only by being referred to."""
    owner_column: str | None
    """Column that must hold the recall's number in every row, where there is one."""

    shown: ColumnElement[bool]
    """Rows of the file: those, and what it shares with others."""

    @property
    def columns(self) -> list[str]:
        """Columns written, in the table's order."""
        return [column.name for column in self.table.columns if column.name not in PRIVATE.get(self.table.name, ())]

    @property
    def references(self) -> dict[str, str]:
        """Column -> `table.column` it refers to."""
        return {fk.parent.name: fk.target_fullname for fk in self.table.foreign_keys}


def hanging(metadata: MetaData = METADATA) -> set[str]:
    """Tables from which a chain of foreign keys leads to `recall`."""
    found, grown = {"recall"}, True
    while grown:
        more = {t.name for t in metadata.sorted_tables if {fk.column.table.name for fk in t.foreign_keys} & found}
        grown = not more <= found
        found |= more
    return found


def referred(metadata: MetaData = METADATA) -> set[str]:
    """Tables that rows of the file refer to."""
    found, grown = hanging(metadata) | set(TIES), True
    while grown:
        more = {fk.column.table.name for t in metadata.sorted_tables if t.name in found for fk in t.foreign_keys}
        grown = not more <= found
        found |= more
    return found


def plan(metadata: MetaData = METADATA) -> Sequence[TablePlan]:
    """The tables of the file, those that refer before those they refer to."""
    hangs, wanted = hanging(metadata), referred(metadata)
    plans = []
    for table in reversed(metadata.sorted_tables):
        if table.name in wanted:
            direct = _owner_column(table)
            condition = _of_recall(table, hangs) if table.name in hangs else false()
            if table.name in TIES:
                condition = or_(condition, text(TIES[table.name]))
            shared = SHARED.get(table.name)
            shown = condition if shared is None else or_(condition, text(f"({shared})"))
            plans.append(TablePlan(table, condition, None if shared else direct, shown))
    return plans


def _owner_column(table: Table) -> str | None:
    if table.name == "recall":
        return "number"
    owners = [fk.parent.name for fk in table.foreign_keys if fk.target_fullname == "recall.number"]
    return owners[0] if owners else None


def _of_recall(table: Table, hangs: set[str]) -> ColumnElement[bool]:
    """Rows of a hanging table that belong to the recall: by its own column, else through what it hangs on."""
    owner = _owner_column(table)
    if owner is not None:
        return table.columns[owner] == bindparam("number", type_=String)
    keys = sorted(table.foreign_keys, key=lambda fk: fk.parent.name)  # a set: in an order of its own in each process
    parents = [fk for fk in keys if fk.column.table.name in hangs and fk.column.table is not table]
    return or_(*(fk.parent.in_(select(fk.column).where(_of_recall(fk.column.table, hangs))) for fk in parents))


__all__ = ["ELSEWHERE", "EXCLUDED", "METADATA", "PRIVATE", "SHARED", "TIES", "TablePlan", "hanging", "plan", "referred"]
