"""A recall with many consignees: one proposal, one approval, one task each, within the time of a request."""

from time import perf_counter

import pytest

from activities.policies import PolicyStore
from db.repositories import disposition_decisions, disposition_tasks, dispositions, recalls
from db.repositories.disposition_positions import Which
from domain.disposition import DispositionKind as K
from tests.disposition.conftest import NOW, NUMBER, D, Disposals, who
from tests.disposition.test_disposition_workflow import POLICIES

pytestmark = pytest.mark.db
MANY = 1000


async def test_a_thousand_consignees_are_one_proposal_one_approval_and_one_task_each(disposals: Disposals) -> None:
    lot = disposals.yard.lot
    disposals.yard.run(
        f"""
        WITH p AS (INSERT INTO partner (code, name, kind, language, time_zone)
                   SELECT 'M' || n, 'Many ' || n, 'hospital', 'en', 'UTC' FROM generate_series(1, {MANY}) n
                   RETURNING id),
        c AS (INSERT INTO consignee (recall_number, partner_id, tier, state, step, added_at)
              SELECT '{NUMBER}', id, 1, 'answered', 1, now() FROM p RETURNING id),
        cl AS (INSERT INTO consignee_lot (consignee_id, lot_id, shipped, returned, stated)
               SELECT id, {lot}, 9, 0, false FROM c),
        r AS (INSERT INTO reply (recall_number, consignee_id, channel, kind, affected, findings, received_at)
              SELECT '{NUMBER}', id, 'page', 'statement', true, '[]', now() FROM c RETURNING id)
        INSERT INTO reply_line (reply_id, lot_id, on_hand, used, held, passed_on) SELECT id, {lot}, 4, 5, 4, 0 FROM r
        """  # noqa: S608 - constants of this test
    )
    policy = PolicyStore.load(POLICIES).shipped("us-fda", NOW.date())
    assert policy is not None
    began = perf_counter()
    async with disposals.yard.sessions.begin() as session:
        await recalls.pin(session, NUMBER, [policy], NOW)
        rows = await dispositions.propose_bulk(session, NUMBER, K.return_to_us, Which(), "bring back", who("Wanda"))
        await disposition_tasks.sync(session, NUMBER, NOW, by="Wanda")
    assert (len(rows), {row.quantity for row in rows}) == (MANY, {D(4)})
    async with disposals.yard.sessions.begin() as session:
        every = [row.sequence for row in rows]
        ada = who("Ada", "approver")
        await disposition_decisions.approve_all(session, NUMBER, every, ada, roles=["approver"], reason=None)
        await disposition_tasks.sync(session, NUMBER, NOW, by="Ada")
    taken = perf_counter() - began
    offered = "SELECT key, what FROM task WHERE state = 'offered' AND key NOT LIKE 'logistics:%' ORDER BY id"
    open_tasks = disposals.yard.rows(offered)
    assert open_tasks[1:] == [
        ("execution:1", f"Carry out: return to us, {MANY} dispositions from number 1 on, with return note")
    ]
    assert taken < 15, f"{taken:.1f} s"


async def test_tasks_that_the_record_settles_are_closed_on_record(disposals: Disposals) -> None:
    policy = PolicyStore.load(POLICIES).shipped("us-fda", NOW.date())
    assert policy is not None
    found = await disposals.propose(K.destroy, 80)
    async with disposals.yard.sessions.begin() as session:
        await recalls.pin(session, NUMBER, [policy], NOW)
        await disposition_tasks.sync(session, NUMBER, NOW, by="Wanda")
    await disposals.approve(found)
    async with disposals.yard.sessions.begin() as session:
        await disposition_tasks.sync(session, NUMBER, NOW, by="Ada")
    closed = "SELECT data -> 'keys' FROM audit_event WHERE action = 'task.closed'"
    assert disposals.yard.rows(closed) == [(["disposition_approval:1"],)]
    async with disposals.yard.sessions.begin() as session:
        await disposition_tasks.sync(session, NUMBER, NOW, by="Ada")
        await disposition_tasks.cancel(session, NUMBER, NOW)
        await disposition_tasks.cancel(session, NUMBER, NOW)
    assert (disposals.actions().count("task.closed"), disposals.actions()[-1]) == (1, "task.cancelled")
