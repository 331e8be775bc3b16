"""The account mapping and the exchange rates of the firm: stated with source, mapped by two persons."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import ReaderDep, StateDep
from api.firm_work import FirmDesk, firm_desk
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import problems
from db.repositories import account_rules, exchange_rates
from db.repositories.account_rules import RuleFacts
from db.repositories.disposition_who import Who
from domain.roles import Permission
from models.money import AccountRule, ExchangeRate, MappingState
from models.schemas_common import Page
from models.schemas_costs import AccountRuleIn, AccountRuleOut, RateIn, RejectRuleIn, StatedRateOut
from models.schemas_supply import ReasonIn

router = APIRouter(tags=["costs"], responses=problems("unauthenticated", "not_permitted", "invalid"))
DeskDep = Annotated[FirmDesk, Depends(firm_desk)]
RuleId = Annotated[int, Path(ge=1, le=2**53, description="Row of the account mapping.")]
_WRITING: Final = ("idempotency_key_missing", "request_in_progress", "idempotency_key_reused", "invalid_input")
_DECIDING: Final = (*_WRITING, "not_found", "already_decided", "four_eyes")


@router.get(
    "/account-rules", operation_id="listAccountRules", summary="The account mapping", responses=problems("bad_cursor")
)
async def list_rules(
    _: ReaderDep,
    state: StateDep,
    of: Annotated[MappingState | None, Query(alias="state", description="Only rows in this state.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AccountRuleOut]:
    """Every row ever proposed, in order; the most specific approved one of the day counts (docs/money.md)."""
    name = listing_name("account-rules", state=of)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await account_rules.listed(session, state=of, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _rule_out, lambda row: state.cursors.write(name, [row.id]))


@router.post(
    "/account-rules",
    operation_id="proposeAccountRule",
    summary="Propose accounts for a kind of cost",
    status_code=201,
    response_model=AccountRuleOut,
    responses=problems(*_WRITING),
)
async def propose_rule(body: AccountRuleIn, desk: DeskDep) -> JSONResponse:
    """A new row; it counts once another person has approved it, and replaces rows of the same keys from its day on."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        facts = {name: getattr(body, name) for name in AccountRuleIn.model_fields}
        return _rule_out(await account_rules.propose(session, RuleFacts(**facts), who))

    return await desk.carry_out(Permission.MANAGE_MAPPING, "propose_account_rule", body, act, status=201)


@router.post(
    "/account-rules/{rule_id}/approve",
    operation_id="approveAccountRule",
    summary="Approve a row of the account mapping",
    response_model=AccountRuleOut,
    responses=problems(*_DECIDING),
)
async def approve_rule(rule_id: RuleId, body: ReasonIn, desk: DeskDep) -> JSONResponse:
    """By another person than the proposer."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _rule_out(await account_rules.decide(session, rule_id, who, approve=True, reason=body.reason))

    return await desk.carry_out(Permission.APPROVE_MAPPING, f"approve_account_rule_{rule_id}", body, act)


@router.post(
    "/account-rules/{rule_id}/reject",
    operation_id="rejectAccountRule",
    summary="Reject a row of the account mapping",
    response_model=AccountRuleOut,
    responses=problems(*_DECIDING),
)
async def reject_rule(rule_id: RuleId, body: RejectRuleIn, desk: DeskDep) -> JSONResponse:
    """By whoever may approve it; the proposer takes a row back by this."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        return _rule_out(await account_rules.decide(session, rule_id, who, approve=False, reason=body.reason))

    return await desk.carry_out(Permission.APPROVE_MAPPING, f"reject_account_rule_{rule_id}", body, act)


@router.get(
    "/exchange-rates", operation_id="listExchangeRates", summary="Stated rates", responses=problems("bad_cursor")
)
async def list_rates(_: ReaderDep, state: StateDep, limit: Limit = 100, cursor: Cursor = None) -> Page[StatedRateOut]:
    """In the order they were stated."""
    name = listing_name("exchange-rates")
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        rows = await exchange_rates.listed(session, after=after[0] if after else 0, limit=limit + 1)
    return page_of(rows, limit, _rate_out, lambda row: state.cursors.write(name, [row.id]))


@router.post(
    "/exchange-rates",
    operation_id="stateExchangeRate",
    summary="State an exchange rate",
    status_code=201,
    response_model=StatedRateOut,
    responses=problems(*_WRITING),
)
async def state_rate(body: RateIn, desk: DeskDep) -> JSONResponse:
    """With its day and source; of one pair and day the one stated last counts."""

    async def act(session: AsyncSession, who: Who) -> BaseModel:
        values = (body.currency, body.base, body.rate, body.valid_on, body.source)
        return _rate_out(await exchange_rates.add(session, *values, who))

    return await desk.carry_out(Permission.MANAGE_MAPPING, "state_exchange_rate", body, act, status=201)


def _rule_out(row: AccountRule) -> AccountRuleOut:
    return AccountRuleOut(**{name: getattr(row, name) for name in AccountRuleOut.model_fields})


def _rate_out(row: ExchangeRate) -> StatedRateOut:
    return StatedRateOut.model_validate(row, from_attributes=True)


__all__ = ["router"]
