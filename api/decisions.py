"""A decision on its way to the workflow that takes it: one update, its typed refusals as problems.

202 is said only after Temporal accepted the update: one that was merely admitted is lost when the server
dies, so until then the answer is 503 and the client repeats with the same key. The update's id is derived
from that key, hence the repeat meets the first attempt instead of deciding twice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.problems import Problem
from api.state import ApiState
from api.temporal_gateway import ACCEPT_TIMEOUT, QUERY_TIMEOUT, RESULT_TIMEOUT, is_unreachable, unavailable
from domain.phases import FINAL_PHASES
from domain.workflow_ids import recall_id
from models.messages import Decision, DecisionReceipt, Message, Snapshot

REFUSALS: Final[Mapping[str, str]] = {
    "NotPermitted": "not_permitted",
    "FourEyes": "four_eyes",
    "WrongPhase": "wrong_phase",
    "StaleProposal": "stale_proposal",
    "AlreadyDecided": "already_decided",
    "MarketActionMissing": "market_action_missing",
    "JustificationMissing": "justification_missing",
    "ReviewMissing": "review_missing",
    "UnknownGate": "unknown_gate",
    "UnknownProductLine": "unknown_product_line",
    "NotWaivable": "not_waivable",
    "HashMismatch": "hash_mismatch",
    "ReasonRequired": "reason_required",
    "InvalidInput": "invalid_input",
    "NotComplete": "not_complete",
    "RecallClosed": "recall_closed",
    "UnknownTask": "unknown_task",
    "LegalLimit": "legal_limit",
    "WrongState": "wrong_state",
    "UnknownAction": "unknown_action",
    "TooEarly": "too_early",
    "EvidenceRequired": "evidence_required",
    "AcceptedUpdateCompletedWorkflow": "recall_closed",
}
"""`ApplicationError.type` of a refused update -> kind of problem; the one table."""

AUDITED_REFUSALS: Final = frozenset(
    {"NotPermitted", "FourEyes", "WrongPhase", "StaleProposal", "AlreadyDecided", "NotWaivable", "HashMismatch"}
    | {"NotComplete", "RecallClosed", "LegalLimit", "WrongState", "TooEarly", "AcceptedUpdateCompletedWorkflow"}
)
"""Refusals that say something about the person or the state of the record, not about how the request was written."""


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818 - a term of the domain
    """An update its workflow refused, with the typed reason."""

    type: str
    detail: str
    open: Any = None
    """What is still open, where that is why it was refused (a completion): items of the checklist."""

    def problem(self) -> Problem:
        """The HTTP answer."""
        more = {} if self.open is None else {"open": self.open}
        return Problem(REFUSALS[self.type], self.detail[:1].upper() + self.detail[1:] + ".", **more)


@dataclass(frozen=True, slots=True)
class Target:
    """A workflow that takes decisions: the recall's own, or one beside it."""

    workflow_id: str
    name: str
    """As problem details call it: "recall", "CAPA 1"."""
    standing: str
    """Where its record stands, for the sentence that it has ended: "in phase terminated"."""
    ended: bool
    """Whether its record says that nothing more can be decided."""
    receipt: type[Message] = DecisionReceipt
    start: Callable[[], WithStartWorkflowOperation[Any, Any]] | None = None
    """Starts the workflow anew with the update, where a closed one takes a decision (a CAPA that is reopened)."""


def recall_target(number: str, phase: str) -> Target:
    """The recall's own workflow."""
    return Target(recall_id(number), "recall", f"in phase {phase}", ended=phase in FINAL_PHASES)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The workflow accepted the decision; the receipt is there unless carrying it out takes longer."""

    update_id: str
    receipt: Message | None


async def send_decision(
    state: ApiState, target: Target, update: str, decision: Decision, *, update_id: str
) -> Accepted:
    """Send one update and wait for its receipt.

    Raises:
        Refused: the workflow's validator refused it.
        Problem: 409 the workflow has ended, 503 Temporal or the workers are down.
    """
    try:
        accepted = await _start_update(state, target, update, decision, update_id)
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise unavailable("No worker took the decision in time; it may or may not count.") from None
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except (RPCError, RuntimeError) as error:
        raise await _not_sent(state, target, error) from error
    return Accepted(update_id, await _receipt(accepted))


async def _start_update(
    state: ApiState, target: Target, update: str, decision: Decision, update_id: str
) -> WorkflowUpdateHandle[Any]:
    client = await state.temporal.client()
    options: dict[str, Any] = {
        "id": update_id,
        "wait_for_stage": WorkflowUpdateStage.ACCEPTED,
        "result_type": target.receipt,
        "rpc_timeout": ACCEPT_TIMEOUT,
    }
    if target.start is not None:
        return await client.start_update_with_start_workflow(
            update, decision, start_workflow_operation=target.start(), **options
        )
    return await client.get_workflow_handle(target.workflow_id).start_update(update, decision, **options)


async def find_decision(state: ApiState, target: Target, update_id: str) -> Accepted:
    """The outcome of a decision accepted before.

    Raises:
        Refused: it was refused.
        Problem: 404 no such decision, 503 Temporal is down.
    """
    try:
        handle = await _handle(state, target)
        known = handle.get_update_handle(update_id, result_type=target.receipt)
        return Accepted(update_id, await _receipt(known))
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise Problem("not_found", f"The {target.name} knows no decision with this id.") from error
        raise unavailable("Temporal cannot be reached now.") from error
    except RuntimeError as error:
        raise unavailable("Temporal cannot be reached now.") from error


async def read_snapshot(state: ApiState, number: str, phase: str) -> Snapshot:
    """The recall as its workflow sees it; needs a live worker.

    Raises:
        Problem: 409 the workflow has ended and is no longer kept, 503 Temporal or the workers are down.
    """
    target = recall_target(number, phase)
    try:
        handle = await _handle(state, target)
        return await handle.query("snapshot", result_type=Snapshot, rpc_timeout=QUERY_TIMEOUT)  # type: ignore[no-any-return]
    except (RPCError, RuntimeError) as error:
        raise await _not_sent(state, target, error) from error
    except WorkflowQueryFailedError as error:
        raise unavailable("The workflow cannot answer now.") from error


async def _handle(state: ApiState, target: Target) -> WorkflowHandle[Any, Any]:
    client = await state.temporal.client()
    return client.get_workflow_handle(target.workflow_id)


async def _receipt(update: WorkflowUpdateHandle[Any]) -> Message | None:
    try:
        receipt: Message = await update.result(rpc_timeout=RESULT_TIMEOUT)
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        return None
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except (RPCError, RuntimeError) as error:
        if is_unreachable(error):
            return None  # accepted already: the outcome can be polled
        raise
    return receipt


def _refusal(error: BaseException) -> Exception:
    for cause in _causes(error):
        if isinstance(cause, ApplicationError) and cause.type in REFUSALS:
            return Refused(str(cause.type), cause.message, cause.details[0] if cause.details else None)
    return RuntimeError(f"an update failed without a known reason: {error.__cause__!r}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


async def _not_sent(state: ApiState, target: Target, error: Exception) -> Problem:
    """Why an update or query did not reach the workflow; the record or Temporal knows whether it has ended."""
    if isinstance(error, RPCError) and error.status == RPCStatusCode.NOT_FOUND:
        if target.ended or "already completed" in str(error) or await _has_ended(state, target):
            return Problem("recall_closed", f"The {target.name} ended {target.standing}; nothing more can be decided.")
        return unavailable(f"The {target.name} is recorded, but its workflow has not been started yet.")
    if is_unreachable(error):
        return unavailable("Temporal cannot be reached now.")
    raise error


async def _has_ended(state: ApiState, target: Target) -> bool:
    """Whether the workflow ran and closed: one that is just closing says "not found" in several ways."""
    try:
        found = await (await _handle(state, target)).describe(rpc_timeout=QUERY_TIMEOUT)
    except (RPCError, RuntimeError):
        return False
    return found.status is not None and found.status != WorkflowExecutionStatus.RUNNING


__all__ = [
    "AUDITED_REFUSALS",
    "REFUSALS",
    "Accepted",
    "Refused",
    "Target",
    "find_decision",
    "read_snapshot",
    "recall_target",
    "send_decision",
]
