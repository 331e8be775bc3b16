"""Liveness and readiness, for supervisors and load balancers; neither needs a token."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.deps import StateDep
from api.monitor import check_all

router = APIRouter(tags=["health"])
_EXAMPLE = {"database": "ok", "migrations": "ok", "temporal": "does not answer"}


@router.get("/healthz", operation_id="liveness", summary="The process is alive")
async def healthz() -> dict[str, str]:
    """Answers as long as the process can answer at all; asks no dependency."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    operation_id="readiness",
    summary="Every dependency is there",
    responses={
        503: {"description": "Which dependency is down", "content": {"application/json": {"example": _EXAMPLE}}}
    },
)
async def readyz(request: Request, state: StateDep) -> JSONResponse:
    """Each dependency with `ok` or what is wrong; 503 while one is missing."""
    found = await check_all(state, request.app.state.revision)
    return JSONResponse(found, 200 if all(value == "ok" for value in found.values()) else 503)


__all__ = ["router"]
