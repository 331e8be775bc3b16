"""Composition root of the workers: settings -> engine and adapters -> activities -> one Worker per task queue.

A worker started while Temporal is away says so once and keeps trying; a running one reconnects by itself. SIGTERM
and SIGINT let activities finish, then end the process.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    gc.disable()  # what modules are made of stays; to look through it for garbage is a fifth of a start

from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker

from activities.amendments import AmendmentActivities
from activities.approvals import ApprovalActivities
from activities.assessment import AssessmentActivities
from activities.branches import BranchActivities, teller
from activities.campaign import CampaignActivities
from activities.capa import CapaActivities
from activities.cases import CaseActivities
from activities.closing import ChecklistActivities
from activities.closing_records import ClosingActivities
from activities.complaints import ComplaintActivities
from activities.compose import NoticeLinks
from activities.disposition import DispositionActivities
from activities.effectiveness import EffectivenessActivities
from activities.intake import IntakeActivities
from activities.market_actions import MarketActionActivities
from activities.notice import NoticeActivities
from activities.notice_rendering import NoticeRenderer
from activities.notify import NotifyActivities
from activities.obligations import ObligationActivities
from activities.pacing import pacers
from activities.policies import PolicyStore
from activities.policy_moves import PolicyMoveActivities
from activities.push_subscriptions import marking_gone
from activities.quarantine import QuarantineActivities
from activities.reclassification import ReclassificationActivities
from activities.running_batches import SLOTS
from activities.staff_rendering import StaffRenderer
from activities.steps import StepActivities
from activities.submissions import SubmissionActivities
from activities.task_extension import TaskExtensionActivities
from activities.tasks import StaffMessageActivities, TaskActivities
from adapters.evidence.factory import build_evidence_store
from adapters.inventory.base import Keepers
from adapters.messaging.factory import build_adapters, build_blocked_adapters
from adapters.regulator.factory import build_transports
from db.engine import SessionFactory, make_engine, make_session_factory
from domain.channels import Channel, notify_queue, urgent_left_out
from domain.firm import Firm
from domain.regions import parse_regions
from models.messages import INVENTORY_QUEUE, RECALL_QUEUE
from plugin import recall_plugin, workflow_runner
from settings import Settings, get_settings
from suggestion.model_file import shipped_model
from worker_keepers import keepers_of, kept_feeds, reading_feeds
from worker_quality import kept_quality, quality
from worker_returns import kept_returns, returning
from workflows.campaign import CampaignWorkflow
from workflows.capa import CapaWorkflow
from workflows.consignee_case import ConsigneeCaseWorkflow
from workflows.disposition import DispositionWorkflow
from workflows.keeper_feeds import KeeperFeedsWorkflow
from workflows.obligations import ObligationsWorkflow
from workflows.quality import QualityWorkflow
from workflows.recall import RecallWorkflow
from workflows.returns import ReturnsWorkflow

HERE = Path(__file__).parent
NOTIFY_QUEUES = tuple(notify_queue(channel, urgent=urgent) for channel in Channel for urgent in (False, True))
"""Two per channel: a slow provider holds up no other channel, and no crowd of other batches holds up class I."""
QUEUES = (RECALL_QUEUE, INVENTORY_QUEUE, *NOTIFY_QUEUES)
WORKFLOWS: tuple[type, ...] = (
    RecallWorkflow,
    CampaignWorkflow,
    ConsigneeCaseWorkflow,
    CapaWorkflow,
    DispositionWorkflow,
    ObligationsWorkflow,
    ReturnsWorkflow,
    KeeperFeedsWorkflow,
    QualityWorkflow,
)
log = logging.getLogger("worker")


async def connect(stop: asyncio.Event) -> Client | None:
    """Connect to Temporal, trying until it answers; None when the process is told to stop first."""
    config = ClientConfig.load_client_connect_config()
    address = config.get("target_host", "localhost:7233")
    pause, told = 0.5, False
    while not stop.is_set():
        try:
            return await Client.connect(**config, plugins=[recall_plugin()])
        except RuntimeError as error:
            if not told:
                log.warning("Temporal at %s does not answer (%s); trying until it does", address, _short(error))
                told = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)
        pause = min(pause * 2, 10)
    return None


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]


def notice_links(settings: Settings) -> NoticeLinks:
    """What recipients' links are made of.

    Raises:
        SystemExit: no key is set; a link signed with a guessable key would let anybody answer.
    """
    if settings.link_secret is None:
        raise SystemExit("RECALL_LINK_SECRET is not set: recipients' links cannot be signed")
    return NoticeLinks(settings.public_url, settings.link_secret.get_secret_value(), settings.mail_from)


def build_workers(client: Client, sessions: SessionFactory, settings: Settings, queues: Sequence[str]) -> list[Worker]:
    """One Worker per task queue asked for, sharing one set of activities."""
    sending = notifying(sessions, settings)
    keepers = keepers_of(sessions, settings.keeper_ca_file)
    by_queue: dict[str, list[Callable[..., Any]]] = {
        RECALL_QUEUE: [
            *recording(client, sessions, settings),
            *returning(client, sessions, settings),
            *quality(sessions),
        ],
        INVENTORY_QUEUE: [*holding(sessions, keepers), *reading_feeds(client, sessions, keepers, settings)],
        **dict.fromkeys(NOTIFY_QUEUES, sending),
    }
    return [
        Worker(
            client,
            task_queue=queue,
            workflows=list(WORKFLOWS) if queue == RECALL_QUEUE else [],
            activities=by_queue[queue],
            workflow_runner=workflow_runner(),
            # A batch that waits for its channel's pace, or a look that waits for its turn, holds a slot and does
            # nothing: many may.
            max_concurrent_activities=20 if queue == INVENTORY_QUEUE else SLOTS,
            graceful_shutdown_timeout=timedelta(seconds=20),
        )
        for queue in queues
    ]


def recording(client: Client, sessions: SessionFactory, settings: Settings) -> list[Callable[..., Any]]:
    """Every activity of the recall queue: they read and write the record."""
    policies = PolicyStore.load(HERE / "policies")
    return [
        *deciding(client, sessions, policies, settings),
        *asking(client, sessions, policies, settings),
        *changing_and_closing(sessions, policies),
        *capa_and_obligations(sessions, policies, settings),
        DispositionActivities(sessions).look_at_disposition,
        EffectivenessActivities(sessions).effectiveness_turn,
        ChecklistActivities(sessions).read_checklist,
    ]


def the_firm(settings: Settings) -> Firm:
    """The recalling firm's place and money, with the region table of `policies/regions/`.

    Raises:
        domain.policy_text.PolicyError: the table is not what it should be; each fault names its path.
    """
    table = (HERE / "policies" / "regions" / "regions.yaml").read_text(encoding="utf-8")
    return Firm(settings.home_country, settings.reporting_currency, parse_regions(table))


def deciding(
    client: Client, sessions: SessionFactory, policies: PolicyStore, settings: Settings
) -> list[Callable[..., Any]]:
    """Activities of the way from the alarm to the notice, and of the tasks on it."""
    firm, approvals = the_firm(settings), ApprovalActivities(sessions)
    intake = IntakeActivities(sessions, policies, firm)
    assessment = AssessmentActivities(sessions, policies, firm, shipped_model())
    actions = MarketActionActivities(sessions)
    steps, tasks = StepActivities(sessions, policies), TaskActivities(sessions, teller(client))
    return [
        intake.begin_intake,
        intake.resolve_scope,
        approvals.record_approval_signature,
        approvals.void_approvals,
        assessment.record_evaluation,
        assessment.propose_classes,
        assessment.record_class_decision,
        assessment.record_rejection,
        actions.record_market_actions,
        actions.record_market_action_review,
        steps.record_strategy,
        steps.record_gate,
        steps.meet_notice_limit,
        steps.project,
        tasks.open_task,
        tasks.close_task,
        tasks.task_clock,
        tasks.turn_tasks,
    ]


def asking(
    client: Client, sessions: SessionFactory, policies: PolicyStore, settings: Settings
) -> list[Callable[..., Any]]:
    """Activities of notices, campaigns and cases: what consignees are asked and what they tell."""
    renderer, tell = NoticeRenderer(HERE / "templates" / "notices"), teller(client)
    notice = NoticeActivities(sessions, renderer, settings, tell=tell)
    campaign, cases = CampaignActivities(sessions), CaseActivities(sessions, client)
    return [
        notice.draft_notice,
        notice.record_notice_approval,
        notice.create_campaign,
        campaign.advance_campaign,
        campaign.end_campaign,
        campaign.note_campaign_stop,
        campaign.record_campaign_decision,
        cases.start_cases,
        cases.look_at_case,
        cases.stop_cases,
        ComplaintActivities(sessions, policies).take_up_complaints,
        BranchActivities(sessions, policies, the_firm(settings), tell).turn_branches,
        PolicyMoveActivities(sessions, policies, the_firm(settings), tell).record_policy_move,
    ]


def holding(sessions: SessionFactory, keepers: Keepers) -> list[Callable[..., Any]]:
    """Activities of the inventory queue: they speak to whoever keeps the stock."""
    quarantine = QuarantineActivities(sessions, keepers)
    return [quarantine.request_holds, quarantine.execute_holds, quarantine.settle_keepers]


def notifying(sessions: SessionFactory, settings: Settings) -> list[Callable[..., Any]]:
    """Activities of both notify queues: they send messages."""
    adapters = build_adapters(settings, push_gone=marking_gone(sessions))
    links = notice_links(settings)
    paces = pacers(sessions, settings)
    notify = NotifyActivities(sessions, adapters, build_blocked_adapters(), links, paces=paces)
    renderer = StaffRenderer(HERE / "templates" / "staff")
    staff = StaffMessageActivities(sessions, adapters, renderer, settings.mail_from, links)
    return [notify.send_batch, staff.send_staff_messages]


def changing_and_closing(sessions: SessionFactory, policies: PolicyStore) -> list[Callable[..., Any]]:
    """Activities of decisions that change a running recall or end it."""
    closing = ClosingActivities(sessions)
    return [
        closing.record_completion,
        closing.record_authority_answer,
        closing.record_closure_notice,
        closing.record_reopening,
        closing.record_cancellation,
        closing.end_claims,
        closing.read_closing,
        ReclassificationActivities(sessions, policies).record_reclassification,
        TaskExtensionActivities(sessions).extend_task,
        AmendmentActivities(sessions).amend_scope,
    ]


def capa_and_obligations(
    sessions: SessionFactory, policies: PolicyStore, settings: Settings
) -> list[Callable[..., Any]]:
    """Activities of the workflows that may outlive their recall."""
    capa, obligations = CapaActivities(sessions), ObligationActivities(sessions, policies, the_firm(settings))
    try:
        carrying = SubmissionActivities(sessions, build_evidence_store(settings), build_transports(settings))
    except ValueError as error:
        raise SystemExit(str(error)) from error
    return [
        capa.open_capa,
        capa.capa_turn,
        capa.record_capa_investigation,
        capa.record_capa_cause,
        capa.record_capa_plan,
        capa.approve_capa_plan,
        capa.complete_capa_action,
        capa.record_capa_verification,
        capa.sign_off_capa,
        capa.reopen_capa,
        capa.merge_capa,
        obligations.write_deadlines,
        obligations.obligations_turn,
        carrying.carry_submissions,
    ]


async def enter_shipped_policies(sessions: SessionFactory) -> None:
    """Enter the shipped profiles into the database; where it is away now, the next recall's intake does it."""
    try:
        await PolicyStore.load(HERE / "policies").seed(sessions, datetime.now(UTC))
    except SQLAlchemyError as error:
        log.warning("shipped regulation profiles were not entered into the database: %s", _short(error))


async def run(settings: Settings, queues: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; 2 when the configuration cannot work at all."""
    if settings.database_url is None:
        log.error("DATABASE_URL is not set; start the embedded stack with `recall up` or set it")
        return 2
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = make_engine(settings.database_url.get_secret_value(), application_name="recall-worker", pool_size=20)
    try:
        client = await connect(stop)
        if client is None:
            return 0
        sessions = make_session_factory(engine)
        if RECALL_QUEUE in queues:
            await enter_shipped_policies(sessions)
        workers = build_workers(client, sessions, settings, queues)
        # Half a million objects of modules and tables live for ever: a search for garbage need not walk over them.
        gc.collect()
        gc.freeze()
        gc.enable()
        log.info("polling %s", ", ".join(queues))
        if left_out := urgent_left_out(queues):
            log.warning("not served here: %s; class I waits unless another worker serves them", ", ".join(left_out))
        async with contextlib.AsyncExitStack() as stack:
            for worker in workers:
                await stack.enter_async_context(worker)
            if RECALL_QUEUE in queues:
                await stack.enter_async_context(kept_returns(client, settings))
                await stack.enter_async_context(kept_feeds(client, settings))
                await stack.enter_async_context(kept_quality(client))
            await stop.wait()
            log.info("stopping: running activities may finish")
    finally:
        await engine.dispose()
    return 0


def main() -> int:
    """Entry point: `python worker.py [--queues recall,inventory,notify-email,notify-sms,notify-voice,...]`."""
    parser = argparse.ArgumentParser(description="Runs the recall orchestrator's workers.")
    parser.add_argument("--queues", default=",".join(QUEUES), help="comma-separated task queues to serve")
    queues = [queue.strip() for queue in parser.parse_args().queues.split(",") if queue.strip()]
    if unknown := [queue for queue in queues if queue not in QUEUES]:
        parser.error(f"unknown task queue {unknown[0]!r}; known are {', '.join(QUEUES)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Tells of every glyph it keeps: which characters a text has is nobody's business in a log.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    return asyncio.run(run(get_settings(), queues))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # temporalio 1.35 sometimes aborts while the interpreter shuts down (measured); nothing is left to do here.
    os._exit(code)
