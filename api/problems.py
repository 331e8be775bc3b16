"""Every error the API answers with, as one table, one exception and the handlers that speak RFC 9457.

A route raises `Problem("wrong_phase", "...")`; the table gives status and title. Nothing else in `api/`
builds an error response, so 404, 405 and 422 of the framework look like ours.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from models.schemas_common import FieldProblem, ProblemDocument

MEDIA_TYPE: Final = "application/problem+json"
_log = logging.getLogger("api.problems")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: HTTP status and the title that never changes with the occurrence."""

    status: int
    title: str


KINDS: Final[Mapping[str, Kind]] = {
    "bad_request": Kind(400, "The request cannot be read"),
    "bad_cursor": Kind(400, "The cursor was not issued for this list"),
    "idempotency_key_missing": Kind(400, "An Idempotency-Key header is needed"),
    "unauthenticated": Kind(401, "A valid bearer token is needed"),
    "signature_required": Kind(401, "This has to be signed with your password"),
    "password_wrong": Kind(401, "The password is not right"),
    "not_permitted": Kind(403, "Your roles do not permit this"),
    "four_eyes": Kind(403, "Another person than the proposer must decide"),
    "not_trained": Kind(403, "Who signs must be trained on the policies in force"),
    "password_change_needed": Kind(403, "The password must be changed first"),
    "signing_locked": Kind(403, "Signing is locked after too many wrong passwords"),
    "signature_invalid": Kind(403, "The webhook's signature does not verify"),
    "not_found": Kind(404, "Nothing is here"),
    "recall_unknown": Kind(404, "No recall has this number"),
    "unknown_gate": Kind(404, "The recall has no such gate"),
    "unknown_product_line": Kind(404, "The recall has no such product line"),
    "unknown_task": Kind(404, "The recall has no such open task"),
    "capa_unknown": Kind(404, "The recall has no such CAPA"),
    "unknown_action": Kind(404, "The plan has no such action"),
    "obligation_unknown": Kind(404, "The recall has no such obligation"),
    "method_not_allowed": Kind(405, "The method is not allowed here"),
    "wrong_phase": Kind(409, "The recall is in another phase"),
    "stale_proposal": Kind(409, "The proposal has changed since you read it"),
    "market_action_missing": Kind(409, "The market action comes first"),
    "review_missing": Kind(409, "A designated person has to accept the justification first"),
    "already_decided": Kind(409, "This has been decided already"),
    "not_waivable": Kind(409, "This gate cannot be waived"),
    "notice_refused": Kind(409, "The content of the notice is refused"),
    "review_needed": Kind(409, "A named reviewer has to confirm passages first"),
    "hash_mismatch": Kind(409, "The content is not what you approved"),
    "wrong_state": Kind(409, "The record is in another state"),
    "too_early": Kind(409, "It is too early for this"),
    "not_complete": Kind(409, "Something is still open"),
    "legal_limit": Kind(409, "A limit of law cannot be moved"),
    "recall_closed": Kind(409, "The recall has ended"),
    "must_be_kept": Kind(409, "The file must be kept"),
    "task_not_open": Kind(409, "The task is not open to you"),
    "hold_not_open": Kind(409, "The hold is not waiting for a confirmation"),
    "check_not_open": Kind(409, "The check was recorded already"),
    "not_answered": Kind(409, "The consignee has to answer first"),
    "nothing_to_sign": Kind(409, "Nothing needs this signature"),
    "obligation_not_open": Kind(409, "The obligation is not open"),
    "clock_unknown": Kind(404, "No such clock start"),
    "clock_refused": Kind(409, "The clock start cannot be recorded so"),
    "document_incomplete": Kind(409, "The document has open fields nobody explained"),
    "comment_window_open": Kind(409, "The authority may still comment"),
    "drill_blocked": Kind(409, "A drill changes nothing outside itself"),
    "transport_not_configured": Kind(409, "This transport is not configured for the jurisdiction"),
    "action_not_owed": Kind(409, "Nothing is left to confirm"),
    "not_documentable": Kind(409, "The consignee cannot be documented yet"),
    "query_not_open": Kind(409, "No query about this statement is open"),
    "complaint_not_open": Kind(409, "The complaint cannot be closed now"),
    "unmapped": Kind(409, "Entries have no accounts"),
    "nothing_to_book": Kind(409, "No entry waits for a journal"),
    "quantity_exceeded": Kind(409, "There is not as much as that"),
    "request_in_progress": Kind(409, "The same request is being carried out"),
    "account_locked": Kind(409, "The provisional account is locked"),
    "conflict": Kind(409, "The record changed or exists already"),
    "recall_deleted": Kind(410, "The file was deleted after its retention date"),
    "version_mismatch": Kind(412, "The recall has changed since you read it"),
    "too_large": Kind(413, "The request is too large"),
    "unsupported_media_type": Kind(415, "This kind of content is not accepted"),
    "invalid": Kind(422, "The request is not valid"),
    "invalid_input": Kind(422, "The decision is not valid"),
    "justification_missing": Kind(422, "What is not reported owes a justification"),
    "reason_required": Kind(422, "A reason is required"),
    "evidence_required": Kind(422, "Evidence is required"),
    "idempotency_key_reused": Kind(422, "The Idempotency-Key was used for another request"),
    "rate_limited": Kind(429, "Too many requests"),
    "internal": Kind(500, "The server failed"),
    "temporal_unavailable": Kind(503, "The workflow service is not available"),
    "database_unavailable": Kind(503, "The database is not available"),
    "database_busy": Kind(503, "Two requests met over the same records"),
    "evidence_unavailable": Kind(503, "The evidence store is not available"),
    "not_ready": Kind(503, "A part of the service is not available"),
}
"""Slug -> kind. The `type` URI is `urn:recall:problem:` and the slug with dashes."""

_STATUS_KINDS: Final = {
    400: "bad_request",
    401: "unauthenticated",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    410: "recall_deleted",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "rate_limited",
    503: "not_ready",
}
"""What the framework's own HTTP errors become."""


class Problem(Exception):  # noqa: N818 - the term of RFC 9457
    """An answer other than success; `kind` is a key of `KINDS`, `detail` speaks of this occurrence."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extensions = extensions

    @property
    def status(self) -> int:
        """The HTTP status of this kind."""
        return KINDS[self.kind].status


def problem_document(problem: Problem, request_id: str) -> dict[str, Any]:
    """The problem as RFC 9457 writes it."""
    document = ProblemDocument(
        type=f"urn:recall:problem:{problem.kind.replace('_', '-')}",
        title=KINDS[problem.kind].title,
        status=problem.status,
        detail=problem.detail,
        instance=f"urn:recall:request:{request_id}",
        errors=problem.errors,
    ).model_dump(exclude=set() if problem.errors else {"errors"})
    return document | problem.extensions


def problem_response(problem: Problem, request: Request) -> JSONResponse:
    """The problem as `application/problem+json`."""
    document = problem_document(problem, getattr(request.state, "request_id", "unknown"))
    return JSONResponse(document, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def problems(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the problems it may answer with, for OpenAPI."""
    by_status: dict[int | str, list[str]] = {}
    for kind in kinds:
        by_status.setdefault(KINDS[kind].status, []).append(kind)
    return {
        status: {
            "description": "; ".join(KINDS[kind].title for kind in names),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status, names in by_status.items()
    }


def field_problems(error: RequestValidationError) -> list[FieldProblem]:
    """Pydantic's findings as pointers and plain sentences, never with the value sent."""
    found = []
    for item in error.errors():
        where, *path = [str(part) for part in item["loc"]] or ["body"]
        steps = [step.replace("~", "~0").replace("/", "~1") for step in path]
        pointer = "#/" + "/".join(steps) if where == "body" else "/".join([where, *steps])
        found.append(FieldProblem(pointer=pointer, detail=str(item["msg"]).removeprefix("Value error, ")))
    return found


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this type only
    return problem_response(error, request)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = field_problems(error)
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return problem_response(Problem("bad_request", "The body is not valid JSON.", errors=errors), request)
    count = "One value is" if len(errors) == 1 else f"{len(errors)} values are"
    return problem_response(Problem("invalid", f"{count} not valid; see `errors`.", errors=errors), request)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    kind = _STATUS_KINDS.get(error.status_code, "bad_request" if error.status_code < 500 else "internal")
    headers = dict(error.headers or {})
    return problem_response(Problem(kind, _plain(kind, str(error.detail), request), headers=headers), request)


def _plain(kind: str, detail: str, request: Request) -> str:
    if kind == "not_found":
        return f"No resource at {request.url.path[:200]}."
    if kind == "method_not_allowed":
        return f"{request.method} is not offered at {request.url.path[:200]}."
    return detail


async def _on_database(request: Request, error: Exception) -> JSONResponse:
    if isinstance(getattr(error, "orig", None), DeadlockDetected | SerializationFailure):
        _log.warning("two requests met in the database: %s", type(getattr(error, "orig", None)).__name__)
        again = "Another change of the same records came in between; nothing was changed. Repeat the request."
        return problem_response(Problem("database_busy", again, headers={"Retry-After": "1"}), request)
    _log.warning("database not usable: %s", type(error).__name__)
    detail = "The database cannot be reached now. Repeat the request; with the same Idempotency-Key where it has one."
    return problem_response(Problem("database_unavailable", detail, headers={"Retry-After": "5"}), request)


async def _on_data_error(request: Request, error: Exception) -> JSONResponse:
    # The edge validates; a value that only the database refuses is still the client's, not a server failure.
    _log.warning("a value passed the edge and was refused by the database")
    return problem_response(Problem("invalid", "A value cannot be stored."), request)


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return await _on_database(request, error)
    _log.error("unhandled %s", type(error).__name__, exc_info=error)
    return problem_response(Problem("internal", "The failure has been logged under this request's id."), request)


def install_handlers(app: FastAPI) -> None:
    """Register the handlers; call once in the app factory."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for unreachable in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(unreachable, _on_database)
    app.add_exception_handler(DataError, _on_data_error)
    app.add_exception_handler(Exception, _on_unexpected)


__all__ = ["KINDS", "MEDIA_TYPE", "Kind", "Problem", "install_handlers", "problem_response", "problems"]
