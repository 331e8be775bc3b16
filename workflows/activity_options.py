"""Named activity options: one retry policy per kind of dependency, chosen by what giving up would mean."""

from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from models.messages import EMAIL_QUEUE, INVENTORY_QUEUE, RECALL_QUEUE, SMS_QUEUE

_PERMANENT: Final = ["InvalidInput", "UnknownProductLine"]
"""Application errors that no retry can mend. The database being away is never one of them, nor is a scope that a
reversed import emptied or a policy not yet in force: data can be put right, and the recall then goes on by itself."""

RECORD: Final[dict[str, Any]] = {
    "task_queue": RECALL_QUEUE,
    "start_to_close_timeout": timedelta(minutes=2),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        maximum_interval=timedelta(seconds=30),
        non_retryable_error_types=_PERMANENT,
    ),
}
"""Short database work: retried for ever, because a record that is not written is a lost fact."""

CASES: Final[dict[str, Any]] = RECORD | {
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=30),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=20), maximum_attempts=6
    ),
}
"""Starting the workflows of cases: given up for now, because the next look finds what is left and notices go first."""

TRACE: Final[dict[str, Any]] = RECORD | {"start_to_close_timeout": timedelta(minutes=15)}
"""The trace of a large scope; idempotent per scope version."""

INVENTORY: Final[dict[str, Any]] = {
    "task_queue": INVENTORY_QUEUE,
    "start_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": timedelta(seconds=30),
    # Whoever ends a recall has to know that nothing is being claimed any more.
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(minutes=1),
        non_retryable_error_types=_PERMANENT,
    ),
}
"""Holds at warehouses and logistics partners: slow, outside, idempotent by key."""

_QUEUES: Final = {"email": EMAIL_QUEUE, "sms": SMS_QUEUE}


def sending(channel: str) -> dict[str, Any]:
    """A batch of notices: on its channel's queue, so that a slow provider holds up no other channel."""
    return {
        "task_queue": _QUEUES[channel],
        "start_to_close_timeout": timedelta(minutes=30),
        "heartbeat_timeout": timedelta(seconds=30),
        # Whoever stops a campaign has to know that nothing is being sent any more.
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
    }


def staff_messages(channel: str) -> dict[str, Any]:
    """Messages to our own people: given up after a while, because the next one takes along what still waits."""
    return {
        "task_queue": _QUEUES[channel],
        "start_to_close_timeout": timedelta(minutes=5),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=5), maximum_attempts=12
        ),
    }
