"""Starting a recall: record first, workflow second, and the same recall again after any crash in between.

The record, its number and the Idempotency-Key are committed together. Only then is the workflow started, under
an id made from the number, so that starting it twice finds the first. A recall whose starter never came back is
started by `start_forgotten`, because a recorded alarm must not wait for a client's retry.
"""

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any, Final

from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from api.capa_start import start_forgotten_capas
from api.problems import Problem
from api.state import ApiState
from api.temporal_gateway import START_TIMEOUT, is_unreachable, unavailable
from db.repositories import idempotency, recall_intake, reply_drafts, strangers
from domain.workflow_ids import recall_id
from models.messages import RECALL_QUEUE, RecallInput
from models.recall import Recall
from workflows.recall import RecallWorkflow
from workflows.search_attributes import at_start

_log = logging.getLogger("api.recall_start")
SUMMARY_BYTES: Final = 200
"""The Web UI's documented limit of a static summary."""
_FORGOTTEN_AFTER: Final = timedelta(seconds=60)
_SWEEP_EVERY: Final = 30.0


def cut(text: str, limit: int = SUMMARY_BYTES) -> str:
    """`text` within `limit` bytes of UTF-8, never splitting a character."""
    return text.encode()[:limit].decode(errors="ignore")


def product_label(criteria: dict[str, Any]) -> str:
    """What the suspect criteria name, for the operator's list."""
    for field in ("product_codes", "families", "brands", "manufacturing_sites", "supplier_lots", "documents"):
        if names := criteria.get(field):
            return _first_of(names)
    named = [each for field in ("lots", "lot_ranges", "serials", "serial_ranges") for each in criteria.get(field, ())]
    return _first_of(sorted({each["product_code"] for each in named}))


def _first_of(names: list[str]) -> str:
    if not names:
        return "unknown"
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


async def start_workflow(state: ApiState, recall: Recall) -> str:
    """Start the recall's workflow, or find it started; returns its id.

    Raises:
        Problem: 503 when Temporal did not accept it.
    """
    workflow_id = recall_id(recall.number)
    product = product_label(recall.suspect)
    try:
        client = await state.temporal.client()
        await client.start_workflow(
            RecallWorkflow.run,
            RecallInput(
                number=recall.number,
                started_by=recall.started_by,
                created_at=recall.created_at,
                jurisdictions=tuple(recall.jurisdictions),
                pace=recall.pace,
                drill=recall.drill,
            ),
            id=workflow_id,
            task_queue=RECALL_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=cut(f"{'DRILL · ' if recall.drill else ''}{product} · {recall.title}"),
            search_attributes=at_start(recall.number, owner=recall.owner, product=product, drill=recall.drill),
            memo={"started_by": recall.started_by, "title": cut(recall.title)},
            priority=Priority(priority_key=1),
            rpc_timeout=START_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        pass  # it ran and has ended: still the recall this key asked for
    except (RPCError, RuntimeError) as error:
        if is_unreachable(error):
            raise unavailable(f"{recall.number} is recorded; Temporal has not accepted it yet.") from error
        raise
    return workflow_id


async def start_forgotten(state: ApiState) -> int:
    """Start every recall that was recorded a while ago and whose workflow never wrote anything."""
    async with state.sessions() as session:
        waiting = await recall_intake.unstarted(session, state.now() - _FORGOTTEN_AFTER)
    started = 0
    for recall in waiting:
        try:
            await start_workflow(state, recall)
        except Problem:
            raise  # Temporal is down for all of them
        except Exception as error:  # noqa: BLE001 - one that Temporal refuses must not hold up the others
            _log.error(json.dumps({"event": "start_refused", "recall": recall.number, "error": type(error).__name__}))
        else:
            started += 1
    return started


async def sweep(state: ApiState) -> None:
    """Forget kept answers and drafts whose time is over, whether Temporal is there or not; then `start_forgotten`, and
    forget the messages of strangers whose time is over."""
    async with state.sessions.begin() as session:
        await idempotency.forget_expired(session, state.now())
        await reply_drafts.forget_old(session, state.now())
    await start_forgotten(state)
    await start_forgotten_capas(state)
    async with state.sessions.begin() as session:
        await strangers.forget(session, state.now(), state.evidence.remove)


async def sweep_forgotten(state: ApiState, interval: float = _SWEEP_EVERY) -> None:
    """Call `sweep` until cancelled; a server that is down is tried again at the next turn."""
    while True:
        await asyncio.sleep(interval)
        try:
            await sweep(state)
        except Problem:
            continue  # Temporal is down; the dependency watch says so
        except Exception as error:  # noqa: BLE001 - the sweep must outlive a database restart
            _log.warning(json.dumps({"event": "sweep_failed", "error": type(error).__name__}))


__all__ = ["cut", "product_label", "start_forgotten", "start_workflow", "sweep", "sweep_forgotten"]
