"""Branches on record: facts as the record has them, what a branch that fires or ends does, and nothing done twice."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlmodel import col, select

from activities.branches import BranchActivities
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import audit, branch_facts, recalls
from domain.branch_state import BranchState
from domain.firm import Firm
from domain.policy_approvals import ApprovalStep
from domain.policy_parts import HumanStep
from domain.workflow_ids import recall_id
from models.messages import BeginIntake, BranchFigures, OpenTask, RecallRef
from models.recall import Deadline, Recall
from models.task import Task
from tests.activities.conftest import NOW, NUMBER, Case, approved, make_case
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
ROOT = Path(__file__).resolve().parents[2]


class Branches:
    """The activity, whom it told, and what the record says."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.told: list[tuple[str, str]] = []
        store = PolicyStore.load(ROOT / "policies")
        self.activities = BranchActivities(case.sessions, store, Firm(), self._tell)

    async def _tell(self, workflow_id: str, key: str) -> None:
        self.told.append((workflow_id, key))

    async def turn(self, hours: float = 0) -> BranchFigures:
        figures: BranchFigures = await self.case.run(
            self.activities.turn_branches, RecallRef(number=NUMBER, now=NOW + timedelta(hours=hours))
        )
        return figures

    async def state(self) -> BranchState:
        async with self.case.sessions() as session:
            return await branch_facts.state_of(session, NUMBER)

    async def holding(self, policy: str = "us-fda") -> set[str]:
        return {each.branch for each in (await self.state()).holding() if each.policy == policy}

    async def task(self, key: str) -> Task:
        async with self.case.sessions() as session:
            return (await session.exec(select(Task).where(col(Task.key) == key))).one()

    async def changes(self) -> list[dict[str, Any]]:
        async with self.case.sessions() as session:
            events = await audit.read(session, NUMBER)
        return [event.data for event in events if event.action == "facts.changed"]

    async def due(self, name: str) -> dict[str, datetime]:
        async with self.case.sessions() as session:
            rows = (await session.exec(select(Deadline).where(col(Deadline.name) == name))).all()
        return {row.jurisdiction: row.due_at for row in rows}

    async def open(self, key: str, step: str, role: str, hours: float, owner: str = "") -> None:
        at = NOW + timedelta(hours=hours)
        task = OpenTask(
            number=NUMBER,
            key=key,
            step=step,
            what=key,
            role=role,
            remind_at=NOW + timedelta(hours=4),
            due_at=at,
            escalate_at=at + timedelta(hours=4),
            owner=owner or recall_id(NUMBER),
            now=NOW,
        )
        await self.case.run(self.case.tasks.open_task, task)


@pytest.fixture
def branches(case: Case) -> Branches:
    """The activity over the case's recall."""
    return Branches(case)


def execute(postgres: PostgresForTests, statement: str, values: Sequence[object] = ()) -> None:
    """Change the record as somebody else would."""
    with psycopg.connect(postgres.admin_url) as db:
        db.execute(statement, values)


def ship(postgres: PostgresForTests, case: Case, units: int, at: timedelta = timedelta()) -> None:
    """A shipment under way to a new hospital."""
    late = Chain(base=5000)
    plant, place = late.place("own", "warehouse"), late.place(country="US")
    late.write(postgres.admin_url)
    execute(
        postgres,
        "INSERT INTO movement (kind, product_id, lot_id, from_location_id, to_location_id, quantity, delivered,"
        " occurred_at, document_no, source_system, source_id)"
        " VALUES ('shipment', %s, %s, %s, %s, %s, false, %s, 'DN-9', 'late', 'late-1')",
        (case.lots["kit"], case.lots["first"], plant, place, units, NOW + at),
    )


def report(postgres: PostgresForTests, severity: str, sequence: int = 1) -> None:
    """Harm comes on record."""
    execute(
        postgres,
        "INSERT INTO complaint (recall_number, sequence, source, awareness_at, severity, description, state,"
        " recorded_by, recorded_at) VALUES (%s, %s, 'staff', %s, %s, 'harm', 'open', 'quinn', %s)",
        (NUMBER, sequence, NOW, severity, NOW),
    )


async def test_the_facts_are_what_the_record_says(case: Case, branches: Branches, postgres: PostgresForTests) -> None:
    await case.traced()
    execute(
        postgres,
        "UPDATE product SET implantable = true, device_class = 'III', unit_value = 2.5, unit_currency = 'USD'"
        " WHERE family = 'kits'",
    )
    ship(postgres, case, 9)
    await branches.turn(1)
    facts = (await branches.state()).facts
    assert [int(facts.consignees), int(facts.lots)] == [2, 3]
    assert (facts.units, facts.value) == (Decimal(112), Decimal(280))
    assert facts.units_in_transit == Decimal(9)
    assert facts.in_transit
    assert (facts.implantable, facts.sterile, facts.harm_reported) == (True, False, False)
    assert (facts.countries, facts.product_families) == (("CN", "US"), ("kits", "reagent"))
    assert (facts.product_lines, facts.device_classes) == (("kits",), ("III",))
    assert (facts.geographic_scope, facts.trigger_kind) == ("global", "complaint")


async def test_what_has_no_price_counts_for_nothing_and_is_named(case: Case, branches: Branches) -> None:
    await case.traced()
    await branches.turn(1)
    state = await branches.state()
    assert (state.facts.value, state.currency) == (Decimal(0), "USD")
    assert state.unvalued.count == 1
    assert len(state.unvalued.products) == 1


async def test_a_look_that_finds_nothing_new_writes_nothing(case: Case, branches: Branches) -> None:
    await case.traced()
    first = await branches.turn(1)
    before, known = await branches.changes(), await branches.state()
    second = await branches.turn(2)
    assert first.moved
    assert not second.moved
    assert second.figures == first.figures
    assert await branches.changes() == before
    assert await branches.state() == known


async def test_a_repeat_after_a_crash_says_again_what_moved(case: Case, branches: Branches) -> None:
    await case.traced()
    await branches.open("call:1", "phone_call", "regulatory", 48, owner="recall:x:case:1")
    first, again = await branches.turn(1), await branches.turn(1)
    assert (first.moved, again.moved) == (True, True)
    assert ("recall:x:case:1", "call:1") in branches.told


async def test_units_in_transit_shorten_open_tasks_and_ask_for_one_more_until_they_arrived(
    case: Case, branches: Branches, postgres: PostgresForTests
) -> None:
    await case.traced()
    await branches.turn()
    await branches.open("holds:1", "hold_confirmation", "warehouse", 20)
    ship(postgres, case, 9)
    figures = await branches.turn(1)
    assert "in-transit" in await branches.holding()
    assert (await branches.task("holds:1")).due_at == NOW + timedelta(hours=5)
    [extra] = [each for each in figures.figures.extra_tasks if each.key == "extra:us-fda:stop-shipments"]
    assert (extra.phase, extra.role, extra.evidence_required) == ("assessment", "warehouse", True)
    await branches.open(extra.key, "extra", "warehouse", 6)
    execute(
        postgres,
        "INSERT INTO movement (kind, product_id, lot_id, to_location_id, quantity, delivered, occurred_at, document_no,"
        " source_system, source_id) SELECT 'receipt', product_id, lot_id, to_location_id, quantity, false,"
        " occurred_at, document_no, 'late', 'late-2' FROM movement WHERE source_id = 'late-1'",
    )
    after = await branches.turn(2)
    assert "in-transit" not in await branches.holding()
    cancelled = await branches.task(extra.key)
    assert cancelled.state == "cancelled"
    assert "on their way" in (cancelled.outcome or "")
    assert (await branches.task("holds:1")).due_at == NOW + timedelta(hours=5), "nothing open becomes later"
    assert extra.key not in {each.key for each in after.figures.extra_tasks}
    assert [each["ended"] for each in await branches.changes()][-1].count("us-fda:in-transit") == 1


async def test_harm_reported_after_the_decision_brings_the_notice_forward_and_more_reports(
    case: Case, branches: Branches, postgres: PostgresForTests
) -> None:
    proposal = await case.proposed()
    await branches.turn()
    decided = await case.run(case.assessment.record_class_decision, approved(proposal.proposal_id, 1))
    before = await branches.due("notify")
    report(postgres, "serious")
    figures = await branches.turn(2)
    assert "serious-harm" in await branches.holding()
    assert figures.decided is not None
    assert figures.decided.notify_due_at <= decided.notify_due_at
    after = await branches.due("notify")
    assert all(after[place] <= before[place] for place in before)
    assert after != before
    async with case.sessions() as session:
        [fda] = [policy for policy in await recalls.pinned(session, NUMBER) if policy.id == "us-fda"]
    assert fda.tasks[HumanStep.COMPLAINT].role == "head_of_quality"
    assert fda.level("I").effectiveness.percent == 100
    assert fda.branches == ()


async def test_an_implant_needs_two_signatures_under_its_notice(
    case: Case, branches: Branches, postgres: PostgresForTests
) -> None:
    await case.traced()
    plain = (await branches.turn()).figures.signers["notice"]
    execute(postgres, "UPDATE product SET implantable = true WHERE family = 'kits'")
    strict = (await branches.turn(1)).figures.signers["notice"]
    assert (plain, strict) == (("approver",), ("approver", "head_of_quality"))


async def test_a_branch_that_fires_again_asks_for_its_task_again(
    case: Case, branches: Branches, postgres: PostgresForTests
) -> None:
    await case.traced()
    ship(postgres, case, 9)
    await branches.turn(1)
    execute(postgres, "UPDATE movement SET delivered = true WHERE source_id = 'late-1'")
    await branches.turn(2)
    execute(postgres, "UPDATE movement SET delivered = false WHERE source_id = 'late-1'")
    keys = {each.key for each in (await branches.turn(3)).figures.extra_tasks}
    assert "extra:us-fda:stop-shipments:2" in keys
    [fired] = [each for each in (await branches.state()).holding() if (each.policy, each.branch) == _TRANSIT]
    assert (fired.times, fired.since) == (2, NOW + timedelta(hours=3))


_TRANSIT = ("us-fda", "in-transit")


async def test_a_drill_is_a_fact_from_the_first_moment(sessions: SessionFactory, chain: dict[str, int]) -> None:
    case = await make_case(sessions, chain, drill=True, pace=60)
    begun = await case.run(case.intake.begin_intake, BeginIntake(number=NUMBER, now=NOW))
    async with sessions() as session:
        state = await branch_facts.state_of(session, NUMBER)
        recall = await session.get(Recall, NUMBER)
    assert state.facts.drill
    assert set(begun.signers) == {step.value for step in ApprovalStep}
    assert recall is not None
    assert recall.facts["currency"] == "USD"
