"""A CAPA's record: a plan replaced while it is carried out, retried activities, findings of odd genealogies."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.capa import CapaActivities
from db.engine import SessionFactory
from db.repositories.capa_findings import trace_findings
from models.capa import EntryKind
from models.messages_capa import ApprovePlan, CapaFigures, CompleteAction, OpenCapa, RecordCapa, WritePlan
from tests.capa.capa_run import ADA, QUINN, WANDA, CapaRun
from tests.capa.conftest import next_number, write_recall
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db


class Desk(CapaRun):
    """A CAPA whose activities are called without a workflow."""

    async def run(self, activity: str, decision: Any, hours: float = 1) -> CapaFigures:
        record = RecordCapa(
            number=self.number,
            sequence=1,
            now=datetime.now(UTC) + timedelta(hours=hours),
            operation=activity,
            decision=decision.model_dump(mode="json"),
        )
        found: CapaFigures = await ActivityEnvironment().run(getattr(CapaActivities(self.sessions), activity), record)
        return found

    async def planned(self, owners: tuple[str, ...], *, version: int) -> None:
        due_on = (datetime.now(UTC) + timedelta(days=30)).date()
        entry = await self.plan_entry(QUINN, owners, due_on)
        await self.run("record_capa_plan", WritePlan(actor=QUINN, entry=entry))
        await self.run("approve_capa_plan", ApprovePlan(actor=ADA, plan_version=version))

    async def done(self, action: int, hours: float = 2) -> CapaFigures:
        entry = await self.wrote(EntryKind.action, WANDA, result="Done.")
        files = (await self.file(),)
        decision = CompleteAction(actor=WANDA, action=action, entry=entry, evidence_ids=files)
        return await self.run("complete_capa_action", decision, hours)


@pytest_asyncio.fixture
async def desk(db: SessionFactory) -> AsyncIterator[Desk]:
    """An open CAPA without a workflow."""
    number = next_number()
    await write_recall(db, number)
    opening = OpenCapa(number=number, sequence=1, now=datetime.now(UTC), title="Cracks")
    for _ in range(2):  # a retried activity opens it once
        await ActivityEnvironment().run(CapaActivities(db).open_capa, opening)
    yield Desk(db, None, number)  # type: ignore[arg-type]


async def test_opening_twice_opens_one_with_one_task(desk: Desk) -> None:
    assert await desk.open_tasks() == {"capa:1:investigation"}
    assert await desk.audited() == ["capa.opened"]


async def test_a_new_plan_keeps_what_is_done_and_drops_the_rest(desk: Desk) -> None:
    await desk.planned(("wanda", "sunil"), version=1)
    await desk.done(1)
    await desk.planned(("wanda",), version=2)
    assert await desk.open_tasks() == {"capa:1:action:3"}
    assert (await desk.tasks())["capa:1:action:2"].state == "cancelled"
    figures = await desk.done(3)
    assert [(each.sequence, each.done) for each in figures.actions] == [(1, True), (3, True)]
    assert figures.state == "verification"


async def test_a_retried_activity_changes_nothing(desk: Desk) -> None:
    await desk.planned(("wanda", "sunil"), version=1)
    entry = await desk.wrote(EntryKind.action, WANDA, result="Done.")
    decision = CompleteAction(actor=WANDA, action=1, entry=entry, evidence_ids=(await desk.file(),))
    first = await desk.run("complete_capa_action", decision)
    before = (await desk.audited(), (await desk.tasks())["capa:1:action:1"].done_at)
    assert await desk.run("complete_capa_action", decision, hours=9) == first
    assert (await desk.audited(), (await desk.tasks())["capa:1:action:1"].done_at) == before


async def test_evidence_of_another_recall_undoes_the_whole_step(desk: Desk, postgres: PostgresForTests) -> None:
    await desk.planned(("wanda",), version=1)
    other = next_number()
    await write_recall(desk.sessions, other)
    file = await desk.file()
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE evidence SET recall_number = %s WHERE id = %s", [other, file])
    entry = await desk.wrote(EntryKind.action, WANDA, result="Done.")
    with pytest.raises(ApplicationError, match="belongs to another recall") as caught:
        await desk.run("complete_capa_action", CompleteAction(actor=WANDA, action=1, entry=entry, evidence_ids=(file,)))
    assert (caught.value.type, caught.value.non_retryable) == ("InvalidInput", True)
    assert await desk.open_tasks() == {"capa:1:action:1"}


async def test_a_cycle_in_the_genealogy_ends_and_a_single_lot_shows_all_its_inputs(
    db: SessionFactory, postgres: PostgresForTests
) -> None:
    number = next_number()
    await write_recall(db, number)
    chain = Chain()
    product = chain.product("kits")
    only, rework, resin = (chain.lot(product, number=name) for name in ("K", "RW", "R"))
    chain.step(only, rework, 1)
    chain.step(rework, only, 1)
    chain.step(resin, only, 1)
    chain.write(postgres.owner_url)
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("INSERT INTO scope_lot VALUES (%s, 1, %s, true, 0)", [number, only])
    async with db() as session:
        found = await trace_findings(session, number, 1)
    assert {each["lot"] for each in found} == {"RW", "R"}
    assert {(each["lots"], each["of"]) for each in found} == {(1, 1)}
