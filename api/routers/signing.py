"""The signer's own side: giving the password for a signing period, ending it, changing the password; unlocking.

No answer and no log line carries a password, and no Idempotency-Key is taken: the fingerprint of a body with a
password would be something to guess at. Opening a period again only ends the one before.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from api.deps import KeyDep, PrincipalDep, StateDep, require
from api.idempotency import Answer, once
from api.problems import Problem, problems
from api.routers.staff import PrincipalName
from api.security.bearer import Principal
from api.signing import idle_time
from api.state import ApiState
from db.password_hash import hashed
from db.repositories import signing_accounts, signing_periods
from db.repositories.signing_accounts import By, Checked
from domain.passwords import fault_of
from domain.roles import Permission, violates_four_eyes
from models.access import IdempotencyKey
from models.schemas_common import FieldProblem
from models.schemas_signing import (
    PasswordChangeIn,
    SigningSessionIn,
    SigningSessionOut,
    UnlockedOut,
    UnlockIn,
)
from models.signing import SigningSession

router = APIRouter(tags=["signatures"])
_CHECKING = problems(
    "bad_request",
    "unauthenticated",
    "password_wrong",
    "password_change_needed",
    "signing_locked",
    "invalid",
    "rate_limited",
)
Unlocker = Annotated[Principal, Depends(require(Permission.UNLOCK_SIGNING))]


@router.post(
    "/me/signing-session",
    operation_id="openSigningSession",
    summary="Give your password, to sign",
    status_code=201,
    responses=_CHECKING,
)
async def open_session(body: SigningSessionIn, principal: PrincipalDep, state: StateDep) -> SigningSessionOut:
    """Begin a period in which your token alone signs; it ends when it rests too long, or at `ends_at`."""
    checked = await check_password(state, principal, body.password)
    now = state.now()
    async with state.sessions.begin() as session:
        _refuse(await signing_accounts.recheck(session, principal.name, checked))
        row = await signing_periods.open_period(
            session,
            token_id=principal.token_id,
            principal=principal.name,
            at=now,
            lasts=timedelta(hours=state.settings.signing_hours),
        )
    return _session_out(row, state)


@router.get(
    "/me/signing-session",
    operation_id="readSigningSession",
    summary="Your open signing period",
    responses=problems("unauthenticated", "not_found"),
)
async def read_session(principal: PrincipalDep, state: StateDep) -> SigningSessionOut:
    """Until when your token alone signs; 404 when the password has to be given first."""
    async with state.sessions() as session:
        row = await signing_periods.active(session, principal.token_id, state.now(), idle_time(state))
    if row is None:
        raise Problem("not_found", "No signing period is open for this token.")
    return _session_out(row, state)


@router.delete(
    "/me/signing-session",
    operation_id="closeSigningSession",
    summary="End your signing period",
    status_code=204,
    responses=problems("unauthenticated"),
)
async def close_session(principal: PrincipalDep, state: StateDep) -> Response:
    """From now on the password is asked for again; repeating it changes nothing."""
    async with state.sessions.begin() as session:
        await signing_periods.close(session, principal.token_id, state.now())
    return Response(status_code=204)


@router.put(
    "/me/password",
    operation_id="changePassword",
    summary="Change your signing password",
    status_code=204,
    responses=_CHECKING,
)
async def change_password(body: PasswordChangeIn, principal: PrincipalDep, state: StateDep) -> Response:
    """With the old one, which counts like every check; open signing periods end."""
    checked = await check_password(state, principal, body.current, changing=True)
    new = body.new.get_secret_value()
    fault = fault_of(new, principal=principal.name, least=state.settings.password_min_length)
    if fault is None and new == body.current.get_secret_value():
        fault = "expected another password than the old one"
    if fault is not None:
        faults = [FieldProblem(pointer="#/new", detail=fault)]
        raise Problem("invalid", "The new password is not valid; see `errors`.", errors=faults)
    stored = await hashed(new)
    async with state.sessions.begin() as session:
        _refuse(await signing_accounts.recheck(session, principal.name, checked), changing=True)
        by = By(principal.name, principal.shown_role, state.now())
        await signing_accounts.set_password(session, principal.name, new, by, initial=False, password_hash=stored)
    return Response(status_code=204)


async def check_password(state: ApiState, principal: Principal, password: SecretStr, *, changing: bool = False) -> str:
    """Check the caller's password; a wrong one is counted and audited, whatever is answered.

    Args:
        changing: an initial or old password may still be used to choose the next one.

    Returns:
        The hash it was checked against; whoever relies on the check looks again (`signing_accounts.recheck`).

    Raises:
        Problem: 401 wrong or none, 403 locked or to be changed, 429 too many checks.
    """
    if wait := state.password_limiter.wait_needed(principal.name):
        raise Problem("rate_limited", "Too many passwords in a short time.", headers={"Retry-After": str(wait)})
    async with state.sessions.begin() as session:
        found = await signing_accounts.check(
            session,
            principal.name,
            password.get_secret_value(),
            By(principal.name, principal.shown_role, state.now()),
            max_age=timedelta(days=state.settings.password_max_days),
        )
        account = await signing_accounts.find(session, principal.name)
        checked = account.password_hash if account else ""
    _refuse(found, changing=changing)
    return checked


def _refuse(found: Checked, *, changing: bool = False) -> None:
    if found == Checked.locked:
        raise Problem("signing_locked", "Too many passwords were wrong. An admin can unlock it.")
    if found == Checked.wrong:
        detail = "The password is wrong, or none is set for you yet (`recall staff password`)."
        raise Problem("password_wrong", detail, headers={"WWW-Authenticate": 'Bearer realm="recall"'})
    if found == Checked.change_needed and not changing:
        detail = "It was set by somebody else, or is too old: choose your own at PUT /v1/me/password."
        raise Problem("password_change_needed", detail)


@router.post(
    "/staff/{principal}/unlock",
    operation_id="unlockSigning",
    summary="Let a locked person sign again",
    response_model=UnlockedOut,
    responses=problems(
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "four_eyes",
        "wrong_state",
        "request_in_progress",
        "invalid",
        "idempotency_key_reused",
    ),
)
async def unlock(
    request: Request, principal: PrincipalName, body: UnlockIn, key: KeyDep, caller: Unlocker, state: StateDep
) -> JSONResponse:
    """After too many wrong passwords, once it is clear who typed them; never one's own account."""

    async def carry_out(_: IdempotencyKey) -> Answer:
        if violates_four_eyes(principal, caller.name):
            raise Problem("four_eyes", "Another admin unlocks your own account.")
        by = By(caller.name, caller.role_for(Permission.UNLOCK_SIGNING), state.now())
        async with state.sessions.begin() as session:
            if not await signing_accounts.unlock(session, principal, by, body.reason):
                raise Problem("wrong_state", "Nobody with this principal is locked out.")
        return Answer(200, UnlockedOut(principal=principal))

    return await once(state, request, caller, key, asked=body, operation=carry_out)


def _session_out(row: SigningSession, state: ApiState) -> SigningSessionOut:
    return SigningSessionOut(
        id=row.id, opened_at=row.opened_at, ends_at=row.ends_at, idle_minutes=state.settings.signing_idle_minutes
    )


__all__ = ["check_password", "router"]
