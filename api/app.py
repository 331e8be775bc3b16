"""The application: `create_app(settings)` puts routers, handlers and middleware together; nothing at import time.

The API starts while PostgreSQL or Temporal is down: both are reached for at the first request, `/readyz` says
which one is missing, and a background watch logs every change.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from temporalio.client import Client

from api.middleware import RequestContext
from api.monitor import expected_revision, watch
from api.openapi import TAGS, install_openapi
from api.problems import install_handlers
from api.recall_start import sweep_forgotten
from api.recipient_access import too_large_page
from api.routers import (
    account,
    accounts,
    amendments,
    assessment,
    branches,
    bulk_answers,
    calls,
    campaigns,
    capas,
    cases,
    chasing,
    clocks,
    closing,
    closure,
    codes,
    complaints,
    consignee_balance,
    contacts,
    costs,
    deadline_history,
    decisions,
    disposal_proof,
    disposition_execution,
    dispositions,
    documents,
    dry_runs,
    effectiveness,
    evidence,
    expert_page,
    expert_reviews,
    exposure,
    goods_documents,
    health,
    holds,
    hospital,
    journals,
    keepers,
    logistics,
    lots,
    master,
    nonconformities,
    notice_checks,
    notice_letters,
    notice_previews,
    obligations,
    patients,
    phone_replies,
    policies,
    policy_changes,
    policy_moves,
    push,
    quality_capas,
    recall_file,
    recall_parts,
    recalls,
    recipient,
    recipient_files,
    recipient_labels,
    recipient_lost,
    recipient_sites,
    recipient_tables,
    responsibilities,
    retention,
    return_labels,
    returned_mail,
    returns,
    samples,
    shortages,
    signatures,
    signing,
    staff,
    suggestions,
    supplier_page,
    supplier_requests,
    tasks,
    traces,
    training,
    unplaced,
    webhooks,
)
from api.state import ApiState, open_state
from settings import Settings

BODY_LIMIT = 1024 * 1024
"""Bytes of an ordinary request; only evidence uploads may have more."""
_MULTIPART_OVERHEAD = 64 * 1024


def create_app(settings: Settings, *, temporal_client: Client | None = None, background: bool = True) -> FastAPI:
    """The API over these settings.

    Args:
        temporal_client: client to use instead of a lazy one of our own (tests).
        background: whether to run the dependency watch and the sweep for recalls that were never started.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_state(settings, temporal_client) as state, _background(state, app, enabled=background):
            app.state.api = state
            yield

    app = FastAPI(
        title="Recall orchestrator",
        version="1",
        summary="Runs medical-device recalls from the first alarm to the closed file",
        openapi_tags=TAGS,
        lifespan=lifespan,
        max_body_size=BODY_LIMIT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,
    )
    app.state.revision = expected_revision()
    app.router.routes.extend(_routes(settings.evidence_max_bytes))
    install_handlers(app)
    install_openapi(app)
    _wrap(app, https=settings.public_url.startswith("https://"))
    return app


def _wrap(app: FastAPI, *, https: bool) -> None:
    """Put ours around the framework's own middleware, so that its 413 and 500 have headers, id and log line, too."""
    inner = app.build_middleware_stack

    def build() -> ASGIApp:
        return RequestContext(inner(), https=https, too_large_page=too_large_page)

    app.build_middleware_stack = build  # type: ignore[method-assign]


@cache
def _routes(evidence_bytes: int) -> tuple[BaseRoute, ...]:
    """All of ours, once a process: the framework works a route out when a request first looks for one, which takes a
    few hundred milliseconds, and remembers it there."""
    every = APIRouter()
    every.include_router(health.router)
    every.include_router(webhooks.router)
    every.include_router(hospital.router)
    every.include_router(push.router)
    every.include_router(calls.router)
    every.include_router(recipient.router)
    every.include_router(recipient_tables.router)
    every.include_router(recipient_sites.router)
    every.include_router(recipient_files.router, max_body_size=recipient_files.BODY_LIMIT)
    every.include_router(recipient_labels.router)
    every.include_router(recipient_lost.router)
    every.include_router(expert_page.router)
    every.include_router(traces.router, prefix="/v1")
    held = (holds, goods_documents, logistics)
    every.include_router(supplier_page.router, max_body_size=supplier_page.BODY_LIMIT)
    for module in (recalls, decisions, *held, phone_replies, recall_parts, recall_file, tasks, staff, master, signing):
        every.include_router(module.router, prefix="/v1")
    for module in (cases, chasing, contacts, complaints, patients, effectiveness, closure):
        every.include_router(module.router, prefix="/v1")
    stock = (dispositions, disposition_execution, disposal_proof, return_labels, returns, samples, shortages)
    every.include_router(lots.router, prefix="/v1")
    for module in (*stock, account, accounts, journals, consignee_balance, exposure):
        every.include_router(module.router, prefix="/v1")
    every.include_router(costs.router, prefix="/v1", max_body_size=costs.BODY_LIMIT)
    duties = (obligations, clocks, deadline_history)
    for module in (assessment, expert_reviews, suggestions, amendments, closing, capas, *duties, retention):
        every.include_router(module.router, prefix="/v1")
    for module in (policies, policy_changes, documents):
        every.include_router(module.router, prefix="/v1")
    every.include_router(notice_previews.test_page)
    for module in (signatures, training, notice_checks, notice_letters, notice_previews):
        every.include_router(module.router, prefix="/v1")
    every.include_router(bulk_answers.router, prefix="/v1", max_body_size=bulk_answers.BODY_LIMIT)
    every.include_router(campaigns.router, prefix="/v1")
    every.include_router(returned_mail.router, prefix="/v1")
    every.include_router(unplaced.router, prefix="/v1")
    every.include_router(keepers.hooks, prefix="/v1")
    for module in (dry_runs, policy_moves, responsibilities, branches, keepers):
        every.include_router(module.router, prefix="/v1")
    for module in (nonconformities, codes, quality_capas, supplier_requests):
        every.include_router(module.router, prefix="/v1")
    every.include_router(evidence.router, prefix="/v1", max_body_size=evidence_bytes + _MULTIPART_OVERHEAD)
    return tuple(every.routes)


@asynccontextmanager
async def _background(state: ApiState, app: FastAPI, *, enabled: bool) -> AsyncIterator[None]:
    jobs: list[Callable[[], Coroutine[Any, Any, None]]] = [
        lambda: watch(state, app.state.revision),
        lambda: sweep_forgotten(state),
    ]
    running = [asyncio.create_task(job()) for job in jobs] if enabled else []
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task


__all__ = ["create_app"]
