"""Carrying out a POST once: the Idempotency-Key of the caller, what was asked with it, and the answer kept.

Same key and body: the kept answer. Same key, another body: 422. Being carried out right now: 409. A request
that was refused and changed nothing frees its key; one that may have had an effect keeps it, and its repeat
continues where it stopped.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.problems import Problem
from api.security.bearer import Principal
from api.signing import refused
from api.state import ApiState
from db.repositories import idempotency as keys
from domain.audit_chain import canonical_json
from models.access import IdempotencyKey

KEEP: Final = timedelta(days=30)
"""How long a key answers repeats."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers; an answer that is not `final` is not kept, so a repeat asks again."""

    status: int
    body: BaseModel
    headers: dict[str, str] = field(default_factory=dict)
    final: bool = True


Operation = Callable[[IdempotencyKey], Awaitable[Answer]]


def fingerprint(body: BaseModel | dict[str, Any]) -> str:
    """SHA-256 over the meaning of a body: neither key order nor spaces make it another request."""
    plain = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
    return hashlib.sha256(canonical_json(json.loads(json.dumps(plain))).encode()).hexdigest()


async def once(
    state: ApiState,
    request: Request,
    principal: Principal,
    key: str,
    *,
    asked: BaseModel | dict[str, Any],
    operation: Operation,
) -> JSONResponse:
    """Run `operation` unless this key has its answer already; `asked` is what the key stands for.

    Raises:
        Problem: 409 while the same key is being carried out, 422 when it was used for another request, and
            whatever the operation raises.
    """
    request_sha256 = fingerprint(asked)
    method_path = f"{request.method} {request.url.path}"[:300]
    async with keys.exclusive(state.lock_engine, principal.name, key) as alone:
        if not alone:
            raise Problem("request_in_progress", "Repeat it in a moment.", headers={"Retry-After": "1"})
        now = state.now()
        async with state.sessions.begin() as session:
            row = await keys.claim(
                session,
                principal=principal.name,
                key=key,
                method_path=method_path,
                request_sha256=request_sha256,
                now=now,
                expires_at=now + KEEP,
            )
        if (row.method_path, row.request_sha256) != (method_path, request_sha256):
            raise Problem("idempotency_key_reused", "Use a new key for a new request.")
        if row.status is not None:
            return _replay(row)
        try:
            return await _carry_out(state, principal, key, row, operation)
        except Problem as problem:
            if problem.status < 500:
                await refused(state, principal, request.path_params.get("number"), problem)
            raise


async def _carry_out(
    state: ApiState, principal: Principal, key: str, row: IdempotencyKey, operation: Operation
) -> JSONResponse:
    try:
        answer = await operation(row)
    except Problem as problem:
        if problem.status < 500:
            async with state.sessions.begin() as session:
                await keys.forget(session, principal.name, key)
        raise
    body = answer.body.model_dump(mode="json")
    if answer.final:
        async with state.sessions.begin() as session:
            kept = {"body": body, "headers": answer.headers}
            await keys.finish(session, principal.name, key, answer.status, kept)
    return JSONResponse(body, status_code=answer.status, headers=answer.headers)


def _replay(row: IdempotencyKey) -> JSONResponse:
    kept = row.response or {}
    headers = dict(kept.get("headers", {})) | {"Idempotency-Replayed": "true"}
    return JSONResponse(kept.get("body"), status_code=row.status or 200, headers=headers)


__all__ = ["Answer", "fingerprint", "once"]
