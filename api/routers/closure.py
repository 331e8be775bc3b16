"""The way to completion: what is still open, where every unit has gone, and who signs for what stays missing."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from api.citing import citing
from api.deps import KeyDep, NumberDep, ReaderDep, StateDep
from api.idempotency import Answer, once
from api.nudge import nudge_recall, nudge_workflow
from api.packages import ALL_TERMS, packed_out
from api.pagination import Cursor, Limit, listing_name, page_of
from api.problems import Problem, problems
from api.records import load
from api.routers.effectiveness import OPEN_PHASES
from api.security.bearer import Principal
from api.signing import sign, signs
from db.repositories import carry_over, checklist, consignee_balance, mass_balance, recalls, unaccounted
from domain.checklist import still_open
from domain.mass_balance import LotBalance, SignedShare, Terms, total
from domain.packages import Package
from domain.roles import Permission
from domain.workflow_ids import disposition_id, update_id
from models.access import IdempotencyKey
from models.schemas_closure import (
    CarriedHold,
    CarriedOver,
    CarryOverIn,
    ChecklistItemOut,
    ChecklistOut,
    DifferenceOut,
    LotBalanceOut,
    MassBalanceOut,
    SignedLotOut,
    TermsOut,
    UnaccountedIn,
    UnaccountedSigned,
)
from models.schemas_common import FieldProblem

router = APIRouter(
    prefix="/recalls/{number}",
    tags=["closure"],
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "invalid"),
)
Decider = Annotated[
    Principal, Depends(signs(Permission.DECIDE_DISPOSITION, "I decide that these units stay locked as nonconforming"))
]
Signer = Annotated[
    Principal, Depends(signs(Permission.SIGN_UNACCOUNTED, "A documented search has not found these units"))
]
LotId = Annotated[int | None, Query(ge=1, le=2**53, description="Only this lot of the recall's scope.")]


@router.get("/checklist", operation_id="readChecklist", summary="Completion checklist")
async def read_checklist(number: NumberDep, _: ReaderDep, state: StateDep) -> ChecklistOut:
    """Each line of the completion checklist; an open one names what has to be closed, by code, lot, task or hold."""
    await load(state, number)
    now = state.now()
    async with state.sessions() as session:
        items = await checklist.checklist(session, number, now)
    shown = [ChecklistItemOut.model_validate(item.model_dump()) for item in items]
    return ChecklistOut(at=now, complete=not still_open(items), items=shown)


@router.get(
    "/mass-balance",
    operation_id="readMassBalance",
    summary="Mass balance",
    responses=problems("bad_cursor", "not_found"),
)
async def read_mass_balance(
    number: NumberDep, _: ReaderDep, state: StateDep, lot: LotId = None, limit: Limit = 100, cursor: Cursor = None
) -> MassBalanceOut:
    """Where every unit has gone, lot by lot: both identities with each term, what is left, and contradictions."""
    await load(state, number)
    name = listing_name(f"balance:{number}", lot=lot)
    after = state.cursors.read(name, cursor)
    async with state.sessions() as session:
        found = await mass_balance.balance(session, number, lot)
        differences = await mass_balance.differences(session, number, lot)
        rows = [each for each in found.lots if after is None or each.lot_id > after[0]][: limit + 1]
        packages = await consignee_balance.packages_of_lots(session, [each.lot_id for each in rows])
    if lot is not None and not found.lots:
        raise Problem("not_found", f"Lot {lot} is not in the scope of the recall {number}.")
    unsigned = {each.lot_id for each in found.unsigned}
    return MassBalanceOut(
        allowed_percent=found.allowed_percent,
        total=_terms_out(total(each.terms for each in found.lots)),
        lots=page_of(
            rows,
            limit,
            lambda row: _lot_out(row, packages[row.lot_id], needs_signature=row.lot_id in unsigned),
            lambda row: state.cursors.write(name, [row.lot_id]),
        ),
        differences=[DifferenceOut.model_validate(each, from_attributes=True) for each in differences],
    )


def _terms_out(terms: Terms) -> TermsOut:
    derived = {
        "unaccounted_percent": terms.unaccounted_share,
        "residual_percent": terms.residual_share,
        "contradictions": list(terms.contradictions()),
    }
    values = {name: getattr(terms, name) for name in TermsOut.model_fields if name not in derived}
    return TermsOut(**values, **derived)


def _lot_out(lot: LotBalance, packages: Sequence[Package], *, needs_signature: bool) -> LotBalanceOut:
    return LotBalanceOut(
        lot_id=lot.lot_id,
        lot_number=lot.number,
        product_code=lot.product_code,
        site_code=lot.site_code,
        unit=lot.unit,
        basis=lot.basis.value,
        terms=_terms_out(lot.terms),
        packages=packed_out(packages, {name: getattr(lot.terms, name) for name in ALL_TERMS}),
        needs_signature=needs_signature,
    )


@router.post(
    "/unaccounted/sign",
    operation_id="signUnaccounted",
    summary="Sign for unaccounted units",
    status_code=201,
    response_model=UnaccountedSigned,
    responses=problems(
        "idempotency_key_missing", "wrong_phase", "nothing_to_sign", "request_in_progress", "idempotency_key_reused"
    ),
)
async def sign_unaccounted(
    request: Request, number: NumberDep, body: UnaccountedIn, key: KeyDep, principal: Signer, state: StateDep
) -> JSONResponse:
    """Sign, as head of quality, that a documented search has not found what the mass balance lacks.

    The signature covers the lots beyond the policy's share as they stand now; should more go missing, it is asked for
    again.
    """
    recall = await load(state, number)
    the_request = update_id(principal.name, "unaccounted", key)

    async def carry_out(_: IdempotencyKey) -> Answer:
        if recall.phase not in OPEN_PHASES:
            raise Problem("wrong_phase", f"The recall is in the phase {recall.phase}; its balance is not signed then.")
        stated = {"account": body.account, "evidence_ids": body.evidence_ids}
        signer = await sign(state, principal, number, "sign_unaccounted", stated)
        with citing(body.evidence_ids):
            signed = await _sign(state, number, body, signer, the_request)
        await nudge_recall(state, number, "checklist")
        return Answer(201, UnaccountedSigned(signed_by=principal.name, lots=signed))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


async def _sign(
    state: StateDep, number: str, body: UnaccountedIn, principal: Principal, request: str
) -> list[SignedLotOut]:
    async with state.sessions.begin() as session:
        await recalls.get(session, number, lock=True)
        signed = await unaccounted.signed_by_request(session, number, request)
        if signed is None:
            lots: Sequence[LotBalance] = (await mass_balance.balance(session, number)).unsigned
            if not lots:
                raise Problem("nothing_to_sign", "No lot is beyond the policy's share without a signature.")
            signed = await unaccounted.sign(
                session,
                number,
                lots,
                actor=principal.name,
                account=body.account,
                evidence_ids=[str(each) for each in body.evidence_ids],
                request=request,
                now=state.now(),
                signature=principal.signature,
            )
    return [_signed_out(lot, share) for lot, share in sorted(signed.items())]


def _signed_out(lot: int, share: SignedShare) -> SignedLotOut:
    return SignedLotOut(lot_id=lot, unaccounted=share.unaccounted, residual=share.residual)


@router.post(
    "/holds/carry-over",
    operation_id="carryOverHolds",
    summary="Carry held stock over as nonconformity",
    response_model=CarriedOver,
    responses=problems("idempotency_key_missing", "wrong_phase", "request_in_progress", "idempotency_key_reused"),
)
async def carry_over_holds(
    request: Request, number: NumberDep, body: CarryOverIn, key: KeyDep, principal: Decider, state: StateDep
) -> JSONResponse:
    """Let confirmed holds go on as nonconformity holds, so that a recall can be completed before all is disposed of.

    Nothing becomes usable: the units stay locked until quality releases or disposes of them.
    """
    recall = await load(state, number)

    async def carry_out(_: IdempotencyKey) -> Answer:
        if recall.phase not in OPEN_PHASES:
            raise Problem("wrong_phase", f"The recall is in the phase {recall.phase}; its holds are settled.")
        stated = {"hold_ids": list(body.hold_ids), "reason": body.reason}
        signer = await sign(state, principal, number, "carry_over_holds", stated)
        try:
            async with state.sessions.begin() as session:
                holds = await carry_over.carry_over(
                    session,
                    number,
                    body.hold_ids,
                    actor=principal.name,
                    role=principal.role_for(Permission.DECIDE_DISPOSITION),
                    reason=body.reason,
                    now=state.now(),
                    signature=signer.signature,
                )
                carried = [CarriedHold.model_validate(hold, from_attributes=True) for hold in holds]
        except carry_over.HoldsNotCarried as error:
            errors = [FieldProblem(pointer=f"#/hold_ids/{place}", detail=what) for place, what in error.faults]
            raise Problem("invalid", "Holds cannot be carried over; see `errors`.", errors=errors) from error
        await nudge_recall(state, number, "checklist")
        await nudge_workflow(state, disposition_id(number))
        return Answer(200, CarriedOver(holds=carried))

    return await once(state, request, principal, key, asked=body, operation=carry_out)


__all__ = ["router"]
