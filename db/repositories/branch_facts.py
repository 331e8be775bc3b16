"""The facts a recall's policies branch on: read from the record, kept with the recall, every change audited.

Whoever reads the recall's policies meets the branches as recorded here, so a fact counts from the look that saw it,
for everybody at once (`domain.branch_state`).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from db.repositories import assessment, audit, recalls
from db.repositories.branch_facts_sql import FACTS
from domain.branch_state import BranchState, Turned, Unvalued, needed_signers, turned
from domain.firm import Firm
from domain.levels import MarketAction
from domain.policy import Policy
from domain.policy_approvals import ApprovalStep
from domain.policy_facts import PolicyFacts
from domain.roles import Role
from models.recall import Recall

_COUNTS: Final = ("units", "units_in_transit", "value")
_AS_READ: Final = (
    "implantable",
    "life_supporting",
    "sterile",
    "harm_reported",
    "serious_harm_reported",
    "death_reported",
    "patients_involved",
    "consignees",
    "lots",
    "dispositions",
    "countries",
    "product_families",
    "device_classes",
    "product_lines",
)


async def state_of(session: AsyncSession, number: str) -> BranchState:
    """The facts and branches as last looked at; empty for a recall that was never looked at."""
    found = (await session.exec(select(Recall.facts).where(col(Recall.number) == number))).one_or_none()
    return BranchState.model_validate(found) if found else BranchState()


async def refresh(session: AsyncSession, number: str, now: datetime, firm: Firm) -> Turned:
    """Look at the facts and record what changed, with an audit event; the recall's row is locked.

    A repeat with nothing new on record changes nothing.
    """
    recall = await recalls.get(session, number, lock=True)
    before = BranchState.model_validate(recall.facts) if recall.facts else BranchState()
    policies = await recalls.pinned_as_written(session, number)
    found = turned(before, await _seen(session, recall, before, firm), policies, now)
    if found.state != before:
        await _record(session, recall, found, now)
    return found


async def look(session: AsyncSession, number: str, now: datetime, firm: Firm) -> bool:
    """Record facts that change nothing further; True when a branch or who must sign would change.

    What follows from that is the recall's workflow to do, so it is left to `refresh` in the turn it makes of it.
    """
    recall = await recalls.get(session, number, lock=True)
    before = BranchState.model_validate(recall.facts) if recall.facts else BranchState()
    policies = await recalls.pinned_as_written(session, number)
    found = turned(before, await _seen(session, recall, before, firm), policies, now)
    if found.fired or found.ended or _signers(policies, before) != _signers(policies, found.state):
        return True
    if found.state != before:
        await _record(session, recall, found, now)
    return False


def _signers(policies: Sequence[Policy], state: BranchState) -> list[tuple[Role, ...]]:
    return [needed_signers(policies, state, step) for step in ApprovalStep]


async def _record(session: AsyncSession, recall: Recall, found: Turned, now: datetime) -> None:
    recall.facts = found.state.model_dump(mode="json")
    recall.version += 1
    session.add(recall)
    await session.flush()
    await audit.append(
        session,
        recall.number,
        actor=audit.SYSTEM,
        role=audit.SYSTEM,
        action="facts.changed",
        at=now,
        data=_noted(found),
    )


async def have_moved(session: AsyncSession, recall: Recall, firm: Firm) -> bool:
    """Whether a branch would begin or end by the facts as they are now; changes nothing.

    The recall's own workflow turns branches, because what follows from one is its to do.
    """
    if not recall.facts:
        return False
    before = BranchState.model_validate(recall.facts)
    policies = await recalls.pinned_as_written(session, recall.number)
    found = turned(before, await _seen(session, recall, before, firm), policies, recall.created_at)
    return bool(found.fired or found.ended)


def _noted(found: Turned) -> dict[str, Any]:
    values = found.state.facts.model_dump(mode="json") | {"market_actions": found.state.market_actions}
    return {
        "facts": {name: values[name] for name in found.facts},
        "fired": [f"{each.policy}:{each.branch}" for each in found.fired],
        "ended": [f"{each.policy}:{each.branch}" for each in found.ended],
    }


async def _seen(session: AsyncSession, recall: Recall, before: BranchState, firm: Firm) -> BranchState:
    """The facts as the record has them now; which branches they make hold is decided by `turned`."""
    # A recall keeps the currency it began with: figures of one recall are compared with each other.
    currency = before.currency or firm.currency
    asked = {"recall_number": recall.number, "scope_version": recall.scope_version, "currency": currency}
    row = (await run(session, FACTS, asked)).one()
    values = row._mapping
    facts = PolicyFacts(
        **{name: values[name] for name in _AS_READ},
        **{name: _exact(values[name]) for name in _COUNTS},
        in_transit=values["units_in_transit"] > 0,
        drill=recall.drill,
        recall_class=recall.recall_class or "",
        trigger_kind=recall.trigger_source,
        geographic_scope=_scope(values["places"], firm) if recall.scope_version else "",
    )
    return BranchState(
        facts=facts,
        market_actions=await _market_actions(session, recall.number),
        currency=currency,
        unvalued=Unvalued(products=tuple(values["unpriced"]), count=values["unpriced_count"]),
        branches=before.branches,
        seen_at=before.seen_at,
        changed_at=before.changed_at,
    )


def _exact(value: Decimal) -> Decimal:
    """Six decimals at most and no trailing zeros, so that equal figures are equal texts in the record."""
    rounded = value.quantize(Decimal("0.000001")).normalize()
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral() else rounded


def _scope(places: Sequence[Sequence[str | None]], firm: Firm) -> str:
    return firm.scope_of((each[0], each[1]) for each in places).scope.value


async def _market_actions(session: AsyncSession, number: str) -> dict[str, str]:
    """Jurisdiction -> the weightiest action of its lines, in the order `MarketAction` lists them."""
    order = [each.value for each in MarketAction]
    found: dict[str, str] = {}
    for row in await assessment.classes_in_force(session, number):
        known = found.get(row.jurisdiction)
        if known is None or order.index(row.market_action) < order.index(known):
            found[row.jurisdiction] = row.market_action
    return dict(sorted(found.items()))


__all__ = ["have_moved", "look", "refresh", "state_of"]
