"""HTTP contracts of the provisional account of a recall."""

from datetime import datetime

from models.schemas_common import In, Out, Reason
from models.schemas_costs import Money
from models.schemas_disposition import DocumentNo


class AccountReasonIn(In):
    """Why the account is locked or reopened."""

    reason: Reason


class SettlementIn(In):
    """The document by which the balance left the provisional account."""

    settlement_no: DocumentNo
    reason: Reason | None = None


class AccountOut(Out):
    """The account stands under the recall's number."""

    recall_number: str
    state: str
    """open, locked, settled."""
    turn: int
    """1, and one more for each reopening."""
    opened_at: datetime
    opened_by: str
    locked_at: datetime | None
    locked_by: str | None
    lock_reason: str | None
    settled_at: datetime | None
    settled_by: str | None
    settlement_no: str | None
    totals: dict[str, Money]
    """Sum of the entries per currency, reversals included."""


__all__ = ["AccountOut", "AccountReasonIn", "SettlementIn"]
