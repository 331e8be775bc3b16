"""Named activity options: one retry policy per kind of dependency, chosen by what giving up would mean."""

from datetime import timedelta
from typing import Any, Final

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

from domain.channels import notify_queue
from models.messages import INVENTORY_QUEUE, RECALL_QUEUE

_PERMANENT: Final = ["InvalidInput", "UnknownProductLine"]
"""Application errors that no retry can mend. The database being away is never one of them, nor is a scope that a
reversed import emptied or a policy not yet in force: data can be put right, and the recall then goes on by itself."""

URGENT: Final = 1
"""Priority of class I."""

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

LOOK: Final[dict[str, Any]] = RECORD | {
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=30),
}
"""A campaign's look at all its consignees, which waits for its turn among those of other recalls."""

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


def sending(channel: str, priority: int) -> dict[str, Any]:
    """A batch of notices: on its channel's queue, so that a slow provider holds up no other channel.

    Class I (priority 1) has a queue of its own: a slot is free for it however many batches of others wait for theirs.
    """
    return {
        "task_queue": notify_queue(channel, urgent=priority == URGENT),
        "start_to_close_timeout": timedelta(minutes=30),
        "heartbeat_timeout": timedelta(seconds=30),
        # Whoever stops a campaign has to know that nothing is being sent any more.
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
    }


def staff_messages(channel: str) -> dict[str, Any]:
    """Messages to our own people: given up after a while, because the next one takes along what still waits."""
    return {
        "task_queue": notify_queue(channel),
        # Before all batches that wait there: whoever is paged because of harm must not wait for their pace.
        "priority": Priority(priority_key=URGENT),
        "start_to_close_timeout": timedelta(minutes=5),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=5), maximum_attempts=12
        ),
    }
