"""Composition of what comes back: settings -> mailbox, return path, providers -> activities; and its one workflow."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.harm_paging import HarmPager
from activities.nudging import nudger
from activities.returns import ReturnsActivities, ReturnsConfig, status_sources
from activities.staff_rendering import StaffRenderer
from adapters.evidence.factory import build_evidence_store
from adapters.mailbox.factory import build_mailbox
from adapters.messaging.factory import build_adapters, build_return_path
from adapters.messaging.message_ids import mail_domain
from adapters.messaging.twilio_sms import TwilioSmsAdapter
from db.engine import SessionFactory
from domain.channels import Channel
from domain.workflow_ids import RETURNS_ID
from models.messages import RECALL_QUEUE
from models.messages_returns import ReturnsInput
from settings import Settings
from workflows.returns import ReturnsWorkflow

log = logging.getLogger("worker")
_STILL_RUNS: Final = timedelta(minutes=10)
"""How often a worker looks whether the workflow runs."""
_TRY_AGAIN: Final = timedelta(seconds=30)


def returning(client: Client, sessions: SessionFactory, settings: Settings) -> list[Callable[..., Any]]:
    """Activities of what comes back: bounces, answers by mail, texts no webhook brought, providers' late answers.

    Raises:
        SystemExit: the mailbox or the evidence store is configured by half.
    """
    config = ReturnsConfig(
        path=build_return_path(settings),
        mail_domain=mail_domain(settings.mail_from),
        authserv_id=settings.mailbox_authserv_id,
        max_bytes=settings.mailbox_max_bytes,
        every_seconds=settings.mailbox_seconds,
        stuck_after=timedelta(minutes=settings.stuck_minutes),
        numbers=tuple(settings.own_numbers()),
    )
    try:
        mailbox, evidence = build_mailbox(settings), build_evidence_store(settings)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    adapters = build_adapters(settings)
    texts = adapters.get(Channel.SMS)
    inbox = texts if isinstance(texts, TwilioSmsAdapter) else None
    sources = status_sources(adapters)
    pager = HarmPager(sessions, adapters, StaffRenderer(), settings.mail_from)
    returns = ReturnsActivities(sessions, mailbox, evidence, sources, nudger(client), config, inbox=inbox, pager=pager)
    return [returns.collect_mail, returns.collect_texts, returns.ask_about_stuck]


async def keep_returns(client: Client, settings: Settings) -> None:
    """Have the workflow that collects what comes back run for as long as the worker does.

    Nobody else starts it: had it been ended by hand, had it failed, or had Temporal been away for a moment when the
    worker came up, no bounce and no answer by mail would be heard of until some worker is started anew.
    """
    while True:
        runs = await start_returns(client, settings)
        await asyncio.sleep((_STILL_RUNS if runs else _TRY_AGAIN).total_seconds())


@contextlib.asynccontextmanager
async def kept_returns(client: Client, settings: Settings) -> AsyncIterator[None]:
    """`keep_returns` until the end of the block."""
    keeper = asyncio.create_task(keep_returns(client, settings))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def start_returns(client: Client, settings: Settings) -> bool:
    """Start the workflow that collects what comes back; one that runs already stays as it is. Whether it runs now."""
    try:
        await client.start_workflow(
            ReturnsWorkflow.run,
            ReturnsInput(pause_seconds=settings.mailbox_seconds),
            id=RETURNS_ID,
            task_queue=RECALL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="Mail that comes back, and messages never reported on",
        )
    except (RPCError, RuntimeError) as error:
        why = error.status.name if isinstance(error, RPCError) else type(error).__name__
        log.warning("the workflow that collects returned mail was not started (%s); tried again", why)
        return False
    return True


__all__ = ["keep_returns", "kept_returns", "returning", "start_returns"]
