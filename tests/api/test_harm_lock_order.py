"""Reports of harm take their recall before themselves: whoever has it goes on to deadlines that name them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.complaints import ComplaintActivities
from activities.policies import PolicyStore
from db.engine import SessionFactory
from db.repositories import complaint_codes, complaint_followup
from db.repositories.cases import By
from models.messages import RecallRef
from tests.campaign.locks import beside
from tests.campaign.world import NUMBER, T0, World, build
from tests.quality.test_codes import SAMPLE, load
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.db
POLICIES = PolicyStore.load(Path(__file__).parents[2] / "policies")
RECALL = f"SELECT FROM recall WHERE number = '{NUMBER}' FOR UPDATE"
DEADLINE = (
    "INSERT INTO deadline (recall_number, name, jurisdiction, clock, limit_text, basis, source, policy_due_at, due_at,"
    " complaint_id) SELECT recall_number, 'report:1', 'us-fda', 'harm_awareness:1', '30 days', 'legal', 'test',"
    " recorded_at, recorded_at, id FROM complaint"
)


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """A recall with one report of harm that nobody has taken up."""
    world = build(clean_db.admin_url)
    world.run(
        "INSERT INTO complaint (recall_number, sequence, source, awareness_at, severity, description, state,"
        " recorded_by, recorded_at) VALUES (%s, 1, 'phone', %s, 'serious', 'Burn', 'open', 'qa', %s)",
        NUMBER, T0, T0,
    )  # fmt: skip
    return world


async def test_taking_up_reports_takes_the_recall_before_them(db: SessionFactory, world: World) -> None:
    taking = ComplaintActivities(db, POLICIES).take_up_complaints(RecallRef(number=NUMBER, now=T0))
    await beside(world, RECALL, DEADLINE, taking)
    assert world.one("SELECT count(*) FROM task WHERE key = 'complaint:1'") == 1


Act = Callable[[AsyncSession], Awaitable[object]]
_ACTS: dict[str, Act] = {
    "close": lambda s: complaint_followup.close(s, NUMBER, 1, outcome="known", by="qa", role="qa", at=T0),
    "code": lambda s: complaint_codes.give(s, NUMBER, 1, ["A05"], By("qa", "qa", T0)),
}


@pytest.mark.parametrize("act", _ACTS.values(), ids=_ACTS.keys())
async def test_who_closes_or_codes_a_report_takes_the_recall_before_it(
    db: SessionFactory, world: World, act: Act
) -> None:
    await load(db, SAMPLE.read_text(), "2026", T0 - timedelta(days=1))
    world.run("UPDATE complaint SET state = 'evaluated'")

    async def change() -> None:
        async with db.begin() as session:
            await act(session)

    await beside(world, RECALL, DEADLINE, change())
    assert world.actions()[-1] in {"complaint.closed", "complaint.coded"}
