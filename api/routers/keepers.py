"""Keepers of stock: who keeps which place besides our own ledger, how they fare, and their webhooks."""

import os
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from api.deps import KeyDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.keeper_views import keeper_out, ledger_out, skipped_out
from api.nudge import nudge_feeds, nudge_stock
from api.problems import Problem, problems
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories import keeper_book, keepers, refusals
from db.repositories.keeper_book import AssignmentRefused, PlaceGiven, SameSystem, UnknownKeeper
from domain.keepers import CODE_PATTERN, LEDGER, KeeperRecord, secret_of
from domain.roles import Permission
from domain.webhook_signature import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureRefused,
    key_bytes,
    verify,
)
from models.access import IdempotencyKey
from models.keeper import Keeper
from models.schemas_common import FieldProblem
from models.schemas_keepers import (
    KeeperDetailOut,
    KeeperIn,
    KeeperOut,
    KeepersOut,
    KeptPlaceOut,
    PlacesIn,
    PlacesOut,
    ProbeOut,
)

router = APIRouter(prefix="/keepers", tags=["keepers"])
hooks = APIRouter(tags=["webhooks"])
Manager = Annotated[Principal, Depends(require(Permission.MANAGE_KEEPERS))]
KeeperCode = Annotated[str, Path(pattern=CODE_PATTERN, description="Code of the keeper.", examples=["east"])]
_READING = ("unauthenticated", "not_permitted", "invalid")
_ENTERING = ("idempotency_key_missing", "request_in_progress", "idempotency_key_reused", "not_found", *_READING)
_HEADERS: Final[dict[str, Any]] = {
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": told}
        for name, told in (
            (ID_HEADER, "the keeper's id of this message, 8 to 100 of A-Z a-z 0-9 _ : -; a repeat changes nothing"),
            (TIMESTAMP_HEADER, "seconds since 1970-01-01 UTC, at most five minutes from our clock"),
            (SIGNATURE_HEADER, "v1,<base64 of HMAC-SHA256 over id.timestamp.body>; several separated by spaces"),
        )
    ]
}


@router.get("", operation_id="listKeepers", summary="Who keeps stock, and how they fare", responses=problems(*_READING))
async def list_keepers(_: ReaderDep, state: StateDep) -> KeepersOut:
    """Our own ledger first, then every keeper on record by code."""
    async with state.sessions() as session:
        rows = await keepers.listed(session)
        places, skipped = await keeper_book.counts(session), await keepers.skip_counts(session)
    now = state.now()
    others = [keeper_out(row, places.get(row.code, 0), skipped.get(row.code, 0), now) for row in rows]
    return KeepersOut(items=[ledger_out(), *others])


@router.get("/{code}", operation_id="readKeeper", summary="Read one keeper", responses=problems("not_found", *_READING))
async def read_keeper(code: KeeperCode, _: ReaderDep, state: StateDep) -> KeeperDetailOut:
    """Its record, its places, and the rows of its answers that could not be taken."""
    async with state.sessions() as session:
        row = await _found(session, code)
        kept = await keeper_book.places_of(session, code)
        rows = await keepers.skips(session, code, limit=200)
        places, skipped = await keeper_book.counts(session), await keepers.skip_counts(session)
    plain = keeper_out(row, places.get(code, 0), skipped.get(code, 0), state.now())
    return KeeperDetailOut(
        **dict(plain),
        kept=[KeptPlaceOut(location=each.location, own_code=each.own_code or each.location) for each in kept],
        skipped=[skipped_out(each) for each in rows],
    )


@router.put("/{code}", operation_id="putKeeper", summary="Enter or change a keeper", responses=problems(*_READING))
async def put_keeper(code: KeeperCode, body: KeeperIn, caller: Manager, state: StateDep) -> KeeperOut:
    """Say how a keeper is reached; repeating it changes nothing. Places are given to it by `places`."""
    if code == LEDGER:
        raise _invalid("path/code", "our own ledger is always there and cannot be changed")
    facts = KeeperRecord(code=code, **body.model_dump())
    now = state.now()
    async with state.sessions.begin() as session:
        role = caller.role_for(Permission.MANAGE_KEEPERS)
        try:
            await keeper_book.put(session, facts, actor=caller.name, role=role, at=now)
        except SameSystem as error:
            raise _invalid("#/base_url", str(error)) from None
        row = await _found(session, code)
        places, skipped = await keeper_book.counts(session), await keepers.skip_counts(session)
    await nudge_feeds(state)
    return keeper_out(row, places.get(code, 0), skipped.get(code, 0), now)


@router.post(
    "/{code}/places",
    operation_id="assignPlaces",
    summary="Give places to a keeper",
    response_model=PlacesOut,
    responses=problems(*_ENTERING),
)
async def assign_places(
    request: Request, code: KeeperCode, body: PlacesIn, key: KeyDep, caller: Manager, state: StateDep
) -> JSONResponse:
    """All or none; `ledger` takes places back. Open holds there are asked for again at whoever keeps them now."""

    async def operation(_: IdempotencyKey) -> Answer:
        given = [PlaceGiven(each.location, each.own_code) for each in body.places]
        role = caller.role_for(Permission.MANAGE_KEEPERS)
        try:
            async with state.sessions.begin() as session:
                done = await keeper_book.assign(session, code, given, actor=caller.name, role=role, at=state.now())
        except UnknownKeeper:
            raise Problem("not_found", "No keeper has this code.") from None
        except AssignmentRefused as error:
            raise _invalid(f"#/places/{error.index}", str(error)) from None
        for number in done.asked_again:
            await nudge_stock(state, number)
        return Answer(200, PlacesOut(keeper=code, moved=done.moved, asked_again=done.asked_again))

    asked = {"keeper": code, **body.model_dump(mode="json")}
    return await once(state, request, caller, key, asked=asked, operation=operation)


@router.post(
    "/{code}/probe",
    operation_id="probeKeeper",
    summary="Have a keeper looked at now",
    status_code=202,
    responses=problems("not_found", *_READING),
)
async def probe_keeper(code: KeeperCode, caller: Manager, state: StateDep) -> ProbeOut:
    """The workers read its changes at once, which shows whether address, credential and contract fit."""
    async with state.sessions() as session:
        await _found(session, code)
    return ProbeOut(asked=await nudge_feeds(state))


@hooks.post(
    "/keepers/{code}/changes",
    operation_id="keeperChanged",
    summary="A keeper says that something changed",
    status_code=204,
    response_class=Response,
    responses=problems("signature_invalid", "too_large", "rate_limited", "invalid"),
    openapi_extra=_HEADERS,
)
async def keeper_changed(request: Request, code: KeeperCode, state: StateDep) -> Response:
    """Nothing is taken from the message: its changes are read from the keeper's feed, so repeats are harmless."""
    client = request.client.host if request.client else "unknown"
    if wait := state.webhook_limiter.wait_needed(client):
        raise Problem("rate_limited", "Too many requests.", headers={"Retry-After": str(wait)})
    body = await request.body()
    async with state.sessions() as session:
        row = await keeper_book.find(session, code)
    await _verified(request, state, code, row, body)
    # A few looks a second are enough for any number of messages: the feed has them all.
    if not state.keeper_limiter.wait_needed(code):
        await nudge_feeds(state)
    return Response(status_code=204)


async def _verified(request: Request, state: ApiState, code: str, row: Keeper | None, body: bytes) -> None:
    """Refuse what no key of this keeper signed; an unknown keeper is refused in the same words."""
    secret = secret_of(os.environ, row.webhook_variable) if row is not None else None
    try:
        keys = [key_bytes(secret)] if secret is not None else []
    except ValueError:
        keys = []
    try:
        verify(
            keys,
            message_id=_header(request, ID_HEADER),
            timestamp=_header(request, TIMESTAMP_HEADER),
            signature=_header(request, SIGNATURE_HEADER),
            body=body,
            now=state.now(),
        )
    except SignatureRefused as refused:
        client = request.client.host if request.client else "unknown"
        if not state.page_limiter.wait_needed(f"webhook:{client}"):
            detail = {"path": "/v1/keepers/changes", "reason": refused.reason, "keeper": code}
            async with state.sessions.begin() as session:
                await refusals.record_refused_access(
                    session, "keeper_signature", number=None, detail=detail, now=state.now()
                )
        detail_text = str(refused)
        raise Problem("signature_invalid", f"{detail_text[:1].upper()}{detail_text[1:]}.") from None


def _header(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    # Two of a kind may be read differently by whoever stands between: neither counts.
    return values[0] if len(values) == 1 and values[0].isascii() else ""


async def _found(session: Any, code: str) -> Keeper:
    row = await keeper_book.find(session, code)
    if row is None:
        raise Problem("not_found", "No keeper has this code.")
    return row


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem(
        "invalid", "One value is not valid; see `errors`.", errors=[FieldProblem(pointer=pointer, detail=detail)]
    )


__all__ = ["hooks", "router"]
