"""Signing by the API: who may sign what, and the signature itself (21 CFR 11.50, 11.70, 11.200).

A route that signs asks for `Annotated[Principal, Depends(signs(Permission.X, "meaning"))]`: the caller holds the
permission, gave the password within an open signing period, and is trained on the recall's policies. What is handed in
is then signed by `sign` (the desks do it), before the act is asked for; the signature's id travels with the act.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, NoReturn

from fastapi import Request
from sqlmodel.ext.asyncio.session import AsyncSession

from api.deps import NUMBER, PrincipalDep, StateDep, refuse
from api.problems import Problem
from api.security.bearer import Principal, Signing
from api.state import ApiState
from db.repositories import recalls, refusals, signatures, signing_periods, staff, training
from db.repositories.signed_content import refers_to
from domain.roles import Permission

HOW_TO_SIGN: Final = (
    'Give your password at POST /v1/me/signing-session {"password": "..."}; for some time your token alone signs then.'
)
ABOUT_PERSON_OR_STATE: Final = frozenset(
    {"not_permitted", "four_eyes", "wrong_phase", "stale_proposal", "already_decided", "not_waivable", "hash_mismatch"}
    | {"wrong_state", "too_early", "not_complete", "legal_limit", "recall_closed", "version_mismatch", "conflict"}
    | {"obligation_not_open", "not_documentable", "query_not_open", "nothing_to_sign", "quantity_exceeded"}
    | {"account_locked"}
)
"""Kinds of problems that say something about the person or the record, not about how the request was written."""


def signs(permission: Permission, meaning: str, *, with_others: bool = False) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the caller, who may sign with this meaning now.

    Args:
        permission: what the caller must hold.
        meaning: what the signature says, in the first person; printed with it (21 CFR 11.50(a)(3)).
        with_others: a policy may ask further functions to sign; whether the caller's is one is for the workflow to say.
    """

    async def checked(request: Request, principal: PrincipalDep, state: StateDep) -> Principal:
        path = request.path_params
        beside = with_others and not principal.may(permission) and principal.may(Permission.CO_SIGN)
        asked = Permission.CO_SIGN if beside else permission
        return await may_sign(state, principal, asked, meaning, path.get("number"), path.get("policy_id"))

    return checked


async def may_sign(
    state: ApiState,
    principal: Principal,
    permission: Permission,
    meaning: str,
    number: str | None,
    policy_id: str | None = None,
) -> Principal:
    """The caller as somebody who may sign now; for routes whose permission or meaning depends on the body.

    Args:
        number: the recall it is about as the path has it, or None for an act on none.
        policy_id: the policy such an act is about; None: all in force.

    Raises:
        Problem: 403 `not_permitted` or `not_trained`, 401 `signature_required`; each is audited.
    """
    if not principal.may(permission):
        await refuse(state, principal, permission, number)
    async with state.sessions.begin() as session:
        period = await signing_periods.use(session, principal.token_id, state.now(), idle_time(state))
        person = await staff.find(session, principal.name)
    if period is None:
        await refuse_signing(state, principal, number, permission.value, "SignatureRequired")
        headers = {"WWW-Authenticate": 'Bearer realm="recall", error="signature_required"'}
        raise Problem("signature_required", HOW_TO_SIGN, headers=headers)
    await _trained(state, principal, permission, number, policy_id)
    signing = Signing(
        permission, meaning, principal.role_for(permission), person.name if person else principal.name, period.id
    )
    return replace(principal, signing=signing)


async def _trained(
    state: ApiState, principal: Principal, permission: Permission, number: str | None, policy_id: str | None
) -> None:
    async with state.sessions() as session:
        needed = await _needed(session, state, number, policy_id)
        missing = await training.missing(session, principal.name, needed)
    if missing:
        await refuse_signing(state, principal, number, permission.value, "NotTrained")
        _not_trained(missing)


async def _needed(session: AsyncSession, state: ApiState, number: str | None, policy_id: str | None) -> dict[str, int]:
    """Policy -> version the signer must know: as the recall pins it, or in force for an act on no recall."""
    if number is None:
        in_force = await training.in_force(session, state.now().date())
        return {each: version for each, version in in_force.items() if policy_id in (None, each)}
    return {pin.policy_id: int(pin.version) for pin in await recalls.pins(session, number)}


def _not_trained(missing: list[tuple[str, int]]) -> NoReturn:
    named = ", ".join(f"{policy} version {version}" for policy, version in missing)
    raise Problem(
        "not_trained",
        f"No training is on record for {named}. The head of your function or an admin records it.",
        missing=[{"policy": policy, "version": version} for policy, version in missing],
    )


async def refuse_signing(state: ApiState, principal: Principal, number: str | None, operation: str, why: str) -> None:
    """Audit that a signature was not possible: no password given, not trained."""
    async with state.sessions.begin() as session:
        await refusals.record_refused_decision(
            session,
            number if number and NUMBER.fullmatch(number) else None,
            principal=principal.name,
            role=principal.shown_role,
            refusal=why,
            operation=operation,
            now=state.now(),
        )


async def refused(state: ApiState, principal: Principal, number: str | None, problem: Problem) -> None:
    """Audit that what a caller was about to sign, or had signed, was refused for what they or the record are."""
    signing = principal.signing
    if signing is None or (signing.made is None and problem.kind not in ABOUT_PERSON_OR_STATE):
        return
    async with state.sessions.begin() as session:
        await refusals.record_refused_decision(
            session,
            number if number and NUMBER.fullmatch(number) else None,
            principal=principal.name,
            role=signing.role,
            refusal="".join(part.title() for part in problem.kind.split("_")),
            operation=signing.operation or signing.permission.value,
            now=state.now(),
            signature=principal.signature,
        )


def idle_time(state: ApiState) -> timedelta:
    """How long a signing period may rest."""
    return timedelta(minutes=state.settings.signing_idle_minutes)


async def sign(
    state: ApiState, principal: Principal, number: str | None, operation: str, stated: Mapping[str, Any]
) -> Principal:
    """Write the signature of a caller who came through `signs`; the caller whose `actor()` carries it.

    One who did not comes back unchanged: the route does not sign.

    Args:
        operation: what is done, as the audit names it.
        stated: what the caller says, as it will be recorded; secrets never.
    """
    signing = principal.signing
    if signing is None:
        return principal
    signer = signatures.Signer(
        principal=principal.name,
        printed_name=signing.printed_name,
        role=signing.role,
        permission=signing.permission.value,
        meaning=signing.meaning,
        token_id=principal.token_id,
        session_id=signing.session_id,
    )
    now = state.now()
    async with state.sessions.begin() as session:
        row = await signatures.make(
            session,
            signer,
            number=number,
            operation=operation,
            stated=stated,
            refers_to=await refers_to(session, number, operation, stated, now),
            at=now,
        )
    signing.operation, signing.made = operation, row.id
    return principal


__all__ = [
    "ABOUT_PERSON_OR_STATE",
    "HOW_TO_SIGN",
    "idle_time",
    "may_sign",
    "refuse_signing",
    "refused",
    "sign",
    "signs",
]
