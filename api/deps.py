"""What routes ask for, as `Annotated` aliases: state, caller, recall number, Idempotency-Key, If-Match."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Path, Request

from api.problems import Problem
from api.security.bearer import Principal, authenticate, get_state
from api.state import ApiState
from db.repositories import refusals
from domain.roles import Permission, roles_with

StateDep = Annotated[ApiState, Depends(get_state)]
PrincipalDep = Annotated[Principal, Depends(authenticate)]

NUMBER = re.compile(r"R[CD]-[0-9]{4}-[0-9]{6}")
_KEY = re.compile(r"[\x21-\x7e]{1,120}")


def require(permission: Permission) -> Callable[..., Awaitable[Principal]]:
    """A dependency: the caller, who must hold `permission`. A refusal is audited, then answered 403."""

    async def checked(request: Request, principal: PrincipalDep, state: StateDep) -> Principal:
        if not principal.may(permission):
            await refuse(state, principal, permission, request.path_params.get("number"))
        return principal

    return checked


async def refuse(state: ApiState, principal: Principal, permission: Permission, number: str | None) -> None:
    """Record that `principal` tried what `permission` guards.

    Raises:
        Problem: 403, always.
    """
    async with state.sessions.begin() as session:
        await refusals.record_refused_decision(
            session,
            number if number and NUMBER.fullmatch(number) else None,
            principal=principal.name,
            role=principal.shown_role,
            refusal="NotPermitted",
            operation=permission.value,
            now=state.now(),
        )
    needed = ", ".join(roles_with(permission))
    raise Problem("not_permitted", f"This needs the permission {permission.value} (roles: {needed}).")


ReaderDep = Annotated[Principal, Depends(require(Permission.READ))]
"""Anybody who may read recalls."""


async def _recall_number(
    number: Annotated[str, Path(description="Recall number.", examples=["RC-2026-000123"], max_length=40)],
) -> str:
    if NUMBER.fullmatch(number) is None:
        raise Problem("recall_unknown", "A recall number reads RC-YYYY-NNNNNN.")
    return number


NumberDep = Annotated[str, Depends(_recall_number)]


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Chosen by the client, up to 120 visible ASCII characters; repeat a request with the same one.",
            examples=["5d0c6c1e-start"],
            max_length=120,
        ),
    ] = None,
) -> str:
    if not idempotency_key:
        raise Problem("idempotency_key_missing", "Send an Idempotency-Key header, for example a UUID.")
    if _KEY.fullmatch(idempotency_key) is None:
        raise Problem("idempotency_key_missing", "An Idempotency-Key is 1 to 120 visible ASCII characters.")
    return idempotency_key


KeyDep = Annotated[str, Depends(_idempotency_key)]


async def _if_match(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match", description="The recall's ETag as you read it; 412 when it has changed.", max_length=60
        ),
    ] = None,
) -> str | None:
    return if_match


IfMatchDep = Annotated[str | None, Depends(_if_match)]

__all__ = ["NUMBER", "IfMatchDep", "KeyDep", "NumberDep", "PrincipalDep", "ReaderDep", "StateDep", "refuse", "require"]
