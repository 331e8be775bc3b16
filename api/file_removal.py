"""What goes after the rows of a deleted file: its stored contents and its workflows' histories.

Each step may be repeated: a content that is gone, a history that is gone, are no errors. What another recall still
speaks of stays.
"""

from datetime import timedelta
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from adapters.evidence.base import EvidenceUnavailable
from api.problems import Problem
from api.state import ApiState
from api.temporal_gateway import is_gone, is_unreachable, unavailable
from db.repositories import deletions
from domain.workflow_ids import recall_id
from models.retention import Tombstone

_RPC: Final = timedelta(seconds=20)


async def remove_the_rest(state: ApiState, stone: Tombstone) -> None:
    """Remove stored contents and histories.

    Raises:
        Problem: 503 the evidence store or Temporal cannot be used now; repeat.
    """
    async with state.sessions() as session:
        kept = await deletions.still_stored(session, [each["sha256"] for each in stone.files])
    try:
        for each in stone.files:
            if each["sha256"] not in kept:
                await state.evidence.remove(each["sha256"])
    except EvidenceUnavailable as error:
        raise Problem("evidence_unavailable", f"{error}. Repeat to finish.", headers={"Retry-After": "5"}) from error
    try:
        await _remove_histories(state, stone.recall_number)
    except (RPCError, RuntimeError) as error:
        if is_unreachable(error):
            raise unavailable("The histories are not deleted yet; repeat to finish.") from error
        raise


async def _remove_histories(state: ApiState, number: str) -> None:
    client, own = await state.temporal.client(), recall_id(number)
    query = f"WorkflowId = '{own}' OR WorkflowId STARTS_WITH '{own}:'"
    async for run in client.list_workflows(query, rpc_timeout=_RPC):
        request = DeleteWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.run_id),
        )
        try:
            await client.workflow_service.delete_workflow_execution(request, timeout=_RPC)
        except RPCError as error:
            if not is_gone(error):
                raise


__all__ = ["remove_the_rest"]
