"""A recall at the start of its life in Postgres, over a small supply chain, and the real activities."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.assessment import AssessmentActivities
from activities.intake import IntakeActivities
from activities.notice import NoticeActivities
from activities.notice_rendering import NoticeRenderer
from activities.obligations import ObligationActivities
from activities.policies import PolicyStore
from activities.steps import StepActivities
from activities.tasks import TaskActivities
from db.engine import SessionFactory
from db.repositories.signatures import Signer, make
from db.repositories.signed_content import refers_to
from domain.firm import Firm
from models.messages import Actor, BeginIntake, RecallRef, RecallScopeRef, RecordDecision
from models.recall import Recall
from settings import Settings
from suggestion.model_file import shipped_model
from tests.domain.factories import evaluation
from tests.support.chain import Chain
from tests.support.servers import PostgresForTests

SRN = "DE-MF-000012345"
NUMBER = "RC-2026-000001"
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
"""A Friday, 09:00 in New York."""
ROOT = Path(__file__).resolve().parents[2]
SERIOUS = evaluation(seriousness="serious", likelihood="probable", immediate="serious")
ACTIONS = {"us-fda": "removal", "eu-mdr": "fsca", "cn-nmpa": "removal"}


@dataclass
class Case:
    """The recall, its activities and shortcuts."""

    sessions: SessionFactory
    intake: IntakeActivities
    assessment: AssessmentActivities
    steps: StepActivities
    obligations: ObligationActivities
    tasks: TaskActivities
    notice: NoticeActivities
    lots: dict[str, int]
    signs: bool = False
    """Whether decisions are signed before they are recorded, as the API does."""

    async def run(self, activity: Any, argument: Any) -> Any:
        if self.signs and isinstance(argument, RecordDecision):
            argument = await signed(self.sessions, argument)
        return await ActivityEnvironment().run(activity, argument)

    async def traced(self) -> Any:
        await self.run(self.intake.begin_intake, BeginIntake(number=NUMBER, now=NOW))
        ref = RecallScopeRef(number=NUMBER, now=NOW, scope_version=1)
        return await self.run(self.intake.resolve_scope, ref)

    async def proposed(self) -> Any:
        await self.traced()
        await self.run(self.assessment.record_evaluation, evaluated())
        return await self.run(self.assessment.propose_classes, RecallRef(number=NUMBER, now=NOW))

    async def decided(self, hours: float = 1) -> Any:
        proposal = await self.proposed()
        return await self.run(self.assessment.record_class_decision, approved(proposal.proposal_id, hours))


async def signed(sessions: SessionFactory, record: RecordDecision) -> RecordDecision:
    """The same decision with its signature."""
    operation = {"approve": "approve_assessment"}.get(record.operation, record.operation)
    who, stated = record.decision["actor"], {key: each for key, each in record.decision.items() if key != "actor"}
    signer = Signer(
        principal=who["principal"],
        printed_name=who["principal"].title(),
        role=who["roles"][0],
        permission="tests",
        meaning=f"I sign: {record.operation}",
        token_id=1,
        session_id=UUID(int=1),
    )
    async with sessions.begin() as session:
        refers = await refers_to(session, record.number, operation, stated, record.now)
        row = await make(
            session,
            signer,
            number=record.number,
            operation=operation,
            stated=stated,
            refers_to=refers,
            at=record.now,
        )
    return record.model_copy(update={"decision": {**stated, "actor": {**who, "signature": str(row.id)}}})


def decision(operation: str, who: Actor, hours: float = 0, **fields: Any) -> RecordDecision:
    """A decision as the workflow hands it to its activity."""
    return RecordDecision(
        number=NUMBER,
        now=NOW + timedelta(hours=hours),
        operation=operation,
        decision={"actor": who.model_dump(mode="json"), **fields},
    )


def evaluated(form: Any = SERIOUS, line: str = "kits", hours: float = 0, **actions: str) -> RecordDecision:
    """A signed evaluation; `actions`: other market actions than the usual, by jurisdiction with `_` for `-`."""
    return decision(
        "record_evaluation",
        Actor(principal="mira", roles=("medical",)),
        hours,
        product_line=line,
        evaluation=form.model_dump(mode="json"),
        market_actions=ACTIONS | {name.replace("_", "-"): action for name, action in actions.items()},
    )


def approved(proposal_id: int, hours: float = 1) -> RecordDecision:
    """An approval as it stands."""
    return decision("approve", Actor(principal="ada", roles=("approver",)), hours, proposal_id=proposal_id)


@pytest.fixture
def chain(clean_db: PostgresForTests) -> dict[str, int]:
    """Raw lot -> two kit lots, shipped to hospitals in two countries; one of them got nothing of it."""
    chain = Chain()
    plant, depot = chain.place("own", "manufacturer"), chain.place("own", "warehouse")
    near, far = chain.place(country="US"), chain.place(country="CN")
    raw, kit = chain.product(family="reagent"), chain.product(family="kits", brand="Uni-Gold")
    supply = chain.lot(raw, number="RAW", site=plant)
    first, second = chain.lot(kit, number="A1", site=plant), chain.lot(kit, number="A2", site=plant)
    other = chain.lot(kit, number="B1", site=plant)
    chain.step(supply, first, 10)
    chain.step(supply, second, 10)
    chain.move("shipment", first, 40, plant, near, day=10, delivered=True)
    chain.move("shipment", second, 60, plant, far, day=20, delivered=True)
    chain.move("shipment", other, 5, plant, near, day=25, delivered=True)
    chain.count(first, depot, 12, 3, at=300)
    chain.write(clean_db.admin_url)
    return {"supply": supply, "first": first, "second": second, "other": other, "kit": kit}


@pytest_asyncio.fixture
async def case(sessions: SessionFactory, chain: dict[str, int]) -> Case:
    """Recall RC-2026-000001 over the raw lot, for three jurisdictions."""
    return await make_case(sessions, chain)


async def make_case(sessions: SessionFactory, chain: dict[str, int], **changes: Any) -> Case:
    """A case with another recall row."""
    facts: dict[str, Any] = {
        "number": NUMBER,
        "title": "Kits",
        "reason": "False negative results",
        "hazard": "Missed infection",
        "trigger_source": "complaint",
        "awareness_at": NOW - timedelta(hours=3),
        "jurisdictions": ["us-fda", "eu-mdr", "cn-nmpa"],
        "suspect": {"lots": [{"product_code": await _code(sessions, chain), "number": "RAW"}]},
        "owner": "quinn",
        "started_by": "quinn",
        "created_at": NOW,
        "phase": "intake",
        "phase_since": NOW,
        "translations": {"zh-CN": {"reason": "假阴性结果", "hazard": "漏诊感染"}},
    } | changes
    async with sessions.begin() as session:
        session.add(Recall(**facts))
    policies = PolicyStore.load(ROOT / "policies")
    settings = Settings(state_dir=Path("unused"), eu_srn=SRN)
    return Case(
        sessions=sessions,
        intake=IntakeActivities(sessions, policies, Firm()),
        assessment=AssessmentActivities(sessions, policies, Firm(), shipped_model()),
        steps=StepActivities(sessions, policies),
        obligations=ObligationActivities(sessions, policies),
        tasks=TaskActivities(sessions),
        notice=NoticeActivities(sessions, NoticeRenderer(), settings),
        lots=chain,
    )


async def _code(sessions: SessionFactory, chain: dict[str, int]) -> str:
    from models.chain import Lot
    from models.master import Product

    async with sessions() as session:
        lot = await session.get(Lot, chain["supply"])
        assert lot is not None
        product = await session.get(Product, lot.product_id)
        assert product is not None
        return product.code
