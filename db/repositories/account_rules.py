"""The account mapping on record: proposed by one person, approved by another, never changed afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import audit
from db.repositories.disposal_refusals import DisposalRefused, invalid
from db.repositories.disposition_who import Who
from domain.accounts import MappingRule
from domain.costs import CostKind
from domain.disposition import Fault
from domain.roles import violates_four_eyes
from models.money import AccountRule, MappingState


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFacts:
    """A row as proposed; both accounts None ends the mapping of these keys."""

    kind: CostKind
    valid_from: date
    company: str | None = None
    jurisdiction: str | None = None
    family: str | None = None
    debit: str | None = None
    credit: str | None = None
    cost_centre: str | None = None
    valid_until: date | None = None
    note: str | None = None


async def propose(session: AsyncSession, facts: RuleFacts, who: Who) -> AccountRule:
    """Propose a row; the same request again returns the first one.

    Raises:
        DisposalRefused: one account only or one twice, or a last day before the first.
    """
    before = (await session.exec(select(AccountRule).where(col(AccountRule.request) == who.request))).one_or_none()
    if before is not None:
        return before
    if (facts.debit is None) != (facts.credit is None):
        raise invalid(Fault("credit" if facts.credit is None else "debit", "both accounts, or none to end a mapping"))
    if facts.debit is not None and facts.debit == facts.credit:
        raise invalid(Fault("credit", "another account than the debit account"))
    if facts.valid_until is not None and facts.valid_until < facts.valid_from:
        raise invalid(Fault("valid_until", "a day not before valid_from"))
    row = AccountRule(
        kind=facts.kind.value,
        company=facts.company,
        jurisdiction=facts.jurisdiction,
        family=facts.family,
        debit=facts.debit,
        credit=facts.credit,
        cost_centre=facts.cost_centre,
        valid_from=facts.valid_from,
        valid_until=facts.valid_until,
        note=facts.note,
        state=MappingState.proposed.value,
        request=who.request,
        proposed_by=who.principal,
        proposed_at=who.at,
    )
    session.add(row)
    await session.flush()
    await _note(session, row, "account_rule.proposed", who)
    return row


async def decide(session: AsyncSession, rule_id: int, who: Who, *, approve: bool, reason: str | None) -> AccountRule:
    """Approve as another person than the proposer, or reject; the proposer may take it back by rejecting.

    Raises:
        DisposalRefused: `not_found`, `already_decided`, or `four_eyes`.
    """
    query = select(AccountRule).where(col(AccountRule.id) == rule_id).with_for_update()
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise DisposalRefused("not_found", f"The account mapping has no row {rule_id}.")
    if row.state != MappingState.proposed.value:
        raise DisposalRefused("already_decided", f"Row {rule_id} is {row.state}; propose a new one instead.")
    if approve and violates_four_eyes(row.proposed_by, who.principal):
        raise DisposalRefused("four_eyes", f"Another person than {row.proposed_by} must approve row {rule_id}.")
    row.state = (MappingState.approved if approve else MappingState.rejected).value
    row.decided_by, row.decided_at, row.decision_reason = who.principal, who.at, reason
    session.add(row)
    await session.flush()
    await _note(session, row, f"account_rule.{row.state}", who, reason)
    return row


async def _note(session: AsyncSession, row: AccountRule, action: str, who: Who, reason: str | None = None) -> None:
    names = ("id", "kind", "company", "jurisdiction", "family", "debit", "credit", "cost_centre", "proposed_by")
    days = {"valid_from": row.valid_from.isoformat(), "valid_until": row.valid_until and row.valid_until.isoformat()}
    data = {name: getattr(row, name) for name in names} | days
    await audit.append(
        session,
        audit.SYSTEM,
        actor=who.principal,
        role=who.role,
        action=action,
        at=who.at,
        reason=reason,
        data=data,
    )


async def listed(
    session: AsyncSession, *, state: MappingState | None = None, after: int = 0, limit: int = 100
) -> Sequence[AccountRule]:
    """In the order they were proposed."""
    query = select(AccountRule).where(col(AccountRule.id) > after)
    if state is not None:
        query = query.where(col(AccountRule.state) == state.value)
    return (await session.exec(query.order_by(col(AccountRule.id)).limit(limit))).all()


async def in_force(session: AsyncSession) -> list[MappingRule]:
    """Every approved row; which one counts is decided by `domain.accounts`."""
    query = select(AccountRule).where(col(AccountRule.state) == MappingState.approved.value)
    return [
        MappingRule(
            row.id or 0,
            CostKind(row.kind),
            row.company,
            row.jurisdiction,
            row.family,
            row.debit,
            row.credit,
            row.cost_centre,
            row.valid_from,
            row.valid_until,
        )
        for row in (await session.exec(query)).all()
    ]


__all__ = ["RuleFacts", "decide", "in_force", "listed", "propose"]
