"""Responsible people: the most specific rule of the day names who gets a task, and absence passes it on."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from db.engine import SessionFactory
from db.repositories import audit, branch_facts, responsibilities, staff
from db.repositories.responsibilities import By, ResponsibilityFacts, ResponsibilityRefused
from domain.firm import Firm
from domain.responsibility import Matter, fit
from domain.roles import Role
from models.messages import OpenTask
from models.recall import Consignee
from models.responsibility import Responsibility
from models.staff import StaffMessage
from models.task import Task
from tests.activities.conftest import NOW, NUMBER, Case

pytestmark = pytest.mark.db
TODAY = NOW.date()
BY = By("hana", "head_of_quality", NOW)
Put = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture
async def put(case: Case) -> Put:
    """Record a person on staff."""
    await case.traced()
    async with case.sessions.begin() as session:
        await branch_facts.refresh(session, NUMBER, NOW, Firm())

    async def record(principal: str, *roles: str, away: bool = False, stand_in: str | None = None) -> None:
        facts = staff.StaffFacts(
            name=principal.title(),
            roles=roles or ("medical",),
            email=f"{principal}@example.org",
            phone=None,
            language="en",
            on_call=False,
            stand_in=stand_in,
            absent_from=NOW - timedelta(days=1) if away else None,
            absent_until=None,
        )
        async with case.sessions.begin() as session:
            await staff.put(session, principal, facts, actor="hana", role="head_of_quality", at=NOW)

    return record


async def answers(sessions: SessionFactory, principal: str, **facts: object) -> None:
    """Record who answers for what."""
    given = {"role": Role.MEDICAL, "valid_from": TODAY} | facts
    async with sessions.begin() as session:
        await responsibilities.add(session, ResponsibilityFacts(principal=principal, **given), BY)  # type: ignore[arg-type]


async def offered(case: Case, key: str = "evaluation:kits", role: str = "medical", **more: object) -> Task:
    """The task as opened by the workflow's activity."""
    task = OpenTask(number=NUMBER, key=key, step="evaluation", what="x", role=role, now=NOW, **more)
    await case.run(case.tasks.open_task, task)
    async with case.sessions() as session:
        return (await session.exec(select(Task).where(col(Task.key) == key))).one()


async def test_without_a_rule_a_task_is_the_functions(case: Case, put: Put) -> None:
    await put("mira")
    assert (await offered(case)).assignee is None


async def test_the_product_line_counts_before_the_place_and_a_name_before_a_pattern(case: Case, put: Put) -> None:
    for name in ("mira", "milo", "maya", "max"):
        await put(name)
    await answers(case.sessions, "mira")
    await answers(case.sessions, "milo", product="ki*")
    await answers(case.sessions, "maya", country="US")
    assert (await offered(case)).assignee == "milo"
    await answers(case.sessions, "max", product="KITS")
    assert (await offered(case, "evaluation:kits:2")).assignee == "max"


async def test_a_task_about_a_consignee_goes_by_its_place(case: Case, put: Put) -> None:
    await put("mira")
    await put("wei")
    await answers(case.sessions, "mira", country="US")
    await answers(case.sessions, "wei", country="CN")
    async with case.sessions() as session:
        ids = (await session.exec(select(Consignee.id).order_by(col(Consignee.id)))).all()
    got = {(await offered(case, f"visit:{each}", consignee_id=each)).assignee for each in ids}
    assert got == {"mira", "wei"}


async def test_a_gate_goes_by_the_country_of_its_law(case: Case, put: Put) -> None:
    await put("regi", "regulatory")
    await put("yan", "regulatory")
    await answers(case.sessions, "regi", role=Role.REGULATORY)
    await answers(case.sessions, "yan", role=Role.REGULATORY, country="CN")
    assert (await offered(case, "gate:cn-nmpa:told", "regulatory")).assignee == "yan"
    assert (await offered(case, "gate:us-fda:told", "regulatory")).assignee == "regi"


async def test_who_is_away_is_replaced_by_the_rules_stand_in_then_the_persons_own_then_the_next_rule(
    case: Case, put: Put
) -> None:
    await put("milo")
    await put("maya", away=True)
    await put("mira", away=True, stand_in="milo")
    await put("max")
    await answers(case.sessions, "mira", product="kits", stand_in="maya")
    assert (await offered(case)).assignee == "milo", "maya is away as well"
    await put("milo", away=True)
    await answers(case.sessions, "max")
    assert (await offered(case, "evaluation:kits:2")).assignee == "max", "nobody of the first rule is there"
    await put("max", away=True)
    assert (await offered(case, "evaluation:kits:3")).assignee is None


async def test_a_rule_counts_from_its_first_to_its_last_day(case: Case, put: Put) -> None:
    await put("mira")
    await put("milo")
    await answers(case.sessions, "mira", valid_from=TODAY + timedelta(days=1))
    await answers(case.sessions, "milo", valid_from=TODAY - timedelta(days=9), valid_to=TODAY - timedelta(days=1))
    assert (await offered(case)).assignee is None


async def test_whoever_started_the_recall_is_never_asked_to_approve_it(case: Case, put: Put) -> None:
    await put("quinn", "approver")
    await answers(case.sessions, "quinn", role=Role.APPROVER)
    task = OpenTask(number=NUMBER, key="assessment", step="approval", what="x", role="approver", now=NOW)
    await case.run(case.tasks.open_task, task)
    async with case.sessions() as session:
        row = (await session.exec(select(Task).where(col(Task.key) == "assessment"))).one()
    assert row.assignee is None


async def test_whoever_gets_a_task_is_told_once_and_the_audit_names_them(case: Case, put: Put) -> None:
    await put("mira")
    await answers(case.sessions, "mira")
    await offered(case)
    await offered(case)
    async with case.sessions() as session:
        told = (await session.exec(select(StaffMessage))).all()
        opened = [each for each in await audit.read(session, NUMBER) if each.action == "task.opened"]
    assert [(each.principal, each.kind) for each in told] == [("mira", "assigned")]
    assert [each.data["assignee"] for each in opened] == ["mira"]


@pytest.mark.parametrize(
    ("facts", "field", "expected"),
    [
        ({"principal": "nobody"}, "principal", "not on staff"),
        ({"principal": "regi"}, "principal", "neither the function"),
        ({"stand_in": "regi"}, "stand_in", "neither the function"),
        ({"role": Role.AUDITOR}, "role", "gets no tasks"),
        ({"product": "kits", "valid_from": TODAY + timedelta(days=5)}, "valid_from", "at the same time"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_field(
    case: Case, put: Put, facts: dict[str, object], field: str, expected: str
) -> None:
    await put("mira")
    await put("regi", "regulatory")
    await answers(case.sessions, "mira", product="kits")
    with pytest.raises(ResponsibilityRefused, match=expected) as caught:
        await answers(case.sessions, str(facts.pop("principal", "mira")), **facts)
    assert caught.value.field == field


async def test_a_rule_that_ended_makes_room_for_the_next(case: Case, put: Put) -> None:
    await put("mira")
    await put("milo")
    await answers(case.sessions, "mira")
    async with case.sessions.begin() as session:
        [row] = await responsibilities.listed(session)
        ended = await responsibilities.end(session, row.id or 0, TODAY, BY)
        assert ended is not None
        with pytest.raises(ResponsibilityRefused, match="record another one"):
            await responsibilities.end(session, row.id or 0, TODAY + timedelta(days=2), BY)
    await answers(case.sessions, "milo", valid_from=TODAY + timedelta(days=1))
    async with case.sessions() as session:
        assert [row.principal for row in await responsibilities.listed(session, on=TODAY)] == ["mira"]
        actions = [each.action for each in await audit.read(session, audit.SYSTEM)]
    assert actions.count("responsibility.recorded") == 2
    assert actions.count("responsibility.ended") == 1


_TEXTS = st.text(alphabet="ab*[]?!-", max_size=4)


@given(product=_TEXTS, lines=st.lists(st.text(alphabet="ab[]?!-", max_size=4), max_size=3))
def test_only_the_asterisk_is_a_wildcard(product: str, lines: list[str]) -> None:
    rule = Responsibility(role="qa", product=product, principal="p", valid_from=TODAY, recorded_by="x", recorded_at=NOW)
    found = fit(rule, Matter(Role.QA, tuple(lines)))
    if product in lines:
        assert found == (2, 0)
    elif "*" not in product:
        assert found is None
