"""Starting the workflow of a CAPA without a recall: after its record, and again where the starter never came back."""

from datetime import timedelta
from typing import Final

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from api.state import ApiState
from api.temporal_gateway import START_TIMEOUT, is_unreachable, unavailable
from db.repositories import capa_files
from domain.workflow_ids import capa_id
from models.messages import RECALL_QUEUE, CapaInput
from models.quality import QualityFile

_FORGOTTEN_AFTER: Final = timedelta(seconds=60)


async def start_workflow(state: ApiState, file: QualityFile) -> str:
    """Start the CAPA's workflow, or find it started; returns its id.

    Raises:
        Problem: 503 when Temporal did not accept it.
    """
    workflow_id = capa_id(file.number, 1)
    start = CapaInput(
        number=file.number, sequence=1, title=file.title, pace=file.pace, drill=file.drill, created_at=file.created_at
    )
    try:
        client = await state.temporal.client()
        await client.start_workflow(
            "CapaWorkflow",
            start,
            id=workflow_id,
            task_queue=RECALL_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"{file.number}: CAPA without a recall",
            rpc_timeout=START_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        pass  # it ran and has ended: still the CAPA this key asked for
    except (RPCError, RuntimeError) as error:
        if is_unreachable(error):
            raise unavailable(f"{file.number} is recorded; Temporal has not accepted it yet.") from error
        raise
    return workflow_id


async def start_forgotten_capas(state: ApiState) -> int:
    """Start every CAPA that was recorded a while ago and whose workflow has not offered a task."""
    async with state.sessions() as session:
        numbers = await capa_files.unstarted(session, state.now() - _FORGOTTEN_AFTER)
        waiting = [file for each in numbers if (file := await session.get(QualityFile, each)) is not None]
    for file in waiting:
        await start_workflow(state, file)
    return len(waiting)


__all__ = ["start_forgotten_capas", "start_workflow"]
