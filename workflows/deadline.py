"""A wait with an absolute end: what every step that waits for a person or a reply is made of.

The end is an instant, so it survives continue-as-new, resets and worker restarts; the Web UI shows the wait by
its name. An update may move `due_at`; the wait then starts over with the new instant.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

SUMMARY_BYTES = 200
"""Temporal's documented limit of a summary."""


def cut(text: str, limit: int = SUMMARY_BYTES) -> str:
    """`text` within `limit` UTF-8 bytes, never splitting a character."""
    return text.encode()[:limit].decode(errors="ignore")


async def wait_until(done: Callable[[], bool], due_at: datetime | None, name: str) -> bool:
    """Wait for `done`; False when `due_at` passed first. Without `due_at` it waits as long as it takes."""
    if due_at is None:
        await workflow.wait_condition(done)
        return True
    remaining = due_at - workflow.now()
    if remaining <= timedelta(0):
        return done()
    try:
        await workflow.wait_condition(done, timeout=remaining, timeout_summary=cut(name))
    except TimeoutError:
        return done()
    return True
