"""Corrected texts: a draft that waits for its release is made anew, one that was released stays what was approved."""

from collections.abc import Awaitable, Callable

import pytest

from models.messages import ApproveNotice
from tests.support.recall_fakes import FakeRecallActivities
from tests.workflows.conftest import ADA, RecallRun
from tests.workflows.test_recall_amendments import campaigns, drafts, release
from tests.workflows.test_recall_workflow import refused

pytestmark = pytest.mark.workflow
Start = Callable[..., Awaitable[RecallRun]]


async def test_corrected_texts_take_an_unreleased_draft_back(start: Start, fakes: FakeRecallActivities) -> None:
    run = await start()
    await run.to_notice()
    await run.until(lambda state: bool(state.approvals_open))
    await run.handle.signal("texts_corrected")
    await run.until(lambda state: state.notice is not None and state.notice.version == 2 and state.approvals_open)
    stale = ApproveNotice(actor=ADA, notice_id=7, sha256="a" * 64)
    assert await refused(run.decide("approve_notice", stale)) == "StaleProposal"
    await release(run, "initial", 2)
    while not campaigns(fakes):
        await run.handle.query("snapshot")
    await run.handle.signal("texts_corrected")
    await run.handle.query("snapshot")
    assert drafts(fakes) == [(1, "initial", 1), (2, "initial", 1)]
    assert campaigns(fakes) == [(1, "initial")]


async def test_corrected_texts_before_any_draft_change_nothing(start: Start, fakes: FakeRecallActivities) -> None:
    run = await start()
    await run.handle.signal("texts_corrected")
    await run.to_notice()
    await run.until(lambda state: bool(state.approvals_open))
    assert drafts(fakes) == [(1, "initial", 1)]
