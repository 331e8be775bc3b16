"""An expert outside the firm: asked by mail, let in by a link that works once, heard beside the proposal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlmodel import col, select
from temporalio.testing import ActivityEnvironment

from activities.compose import NoticeLinks
from activities.staff_rendering import StaffRenderer
from activities.tasks import StaffMessageActivities
from adapters.messaging.base import OutgoingMessage, SendResult
from db.engine import SessionFactory
from db.repositories import audit, recalls, staff_messages, task_turns
from domain.channels import Channel
from domain.expert_links import make_expert_token
from domain.roles import Role
from models.assessment import ExpertReview
from models.messages import SendStaffMessages
from models.notice import RefusedAccess
from models.staff import StaffMessage
from models.task import Task
from tests.api.test_assessment import LINE, write_classes
from tests.support.api import LINK_SECRET, Callers
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow
ANSWER = {
    "agrees": "no",
    "recall_class": "I",
    "rationale": "Sepsis is likely.",
    "name": "Dr. Noor",
    "qualification": "ICU",
}


class Mailbox:
    """Takes every message."""

    channel = Channel.EMAIL

    def __init__(self) -> None:
        self.sent: list[OutgoingMessage] = []

    async def send(self, message: OutgoingMessage) -> SendResult:
        self.sent.append(message)
        return SendResult(provider_id=f"sent-{len(self.sent)}")

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> SendResult | None:
        return None

    async def close(self) -> None:
        """Nothing to release."""


def due(hours: float = 24) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)


def asking(**changes: Any) -> dict[str, Any]:
    return {
        "product_line": LINE,
        "question": "Does the alarm hold in intensive care?",
        "name": "Dr. Amina Noor",
        "email": "noor@clinic.test",
        "due_at": due().isoformat(),
    } | changes


@pytest.fixture
def number(recall: str, postgres: PostgresForTests) -> str:
    """A recall with a proposal."""
    write_classes(postgres.owner_url, recall)
    return recall


async def ask(api: Callers, number: str, **changes: Any) -> dict[str, Any]:
    answer = await api.post(f"/v1/recalls/{number}/expert-reviews", asking(**changes), Role.MEDICAL)
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


def link(review: dict[str, Any], secret: str = LINK_SECRET) -> str:
    at = datetime.fromisoformat(review["due"]["at"])
    return f"/x/{make_expert_token(secret, review_id=review['id'], expires_at=at)}"


async def send(db: SessionFactory, number: str) -> list[OutgoingMessage]:
    box = Mailbox()
    links = NoticeLinks("http://recall.test", LINK_SECRET, "recall@firm.test")
    activity = StaffMessageActivities(db, {Channel.EMAIL: box}, StaffRenderer(), "recall@firm.test", links)
    request = SendStaffMessages(number=number, channel="email", now=datetime.now(UTC))
    await ActivityEnvironment().run(activity.send_staff_messages, request)
    return box.sent


async def actions_of(db: SessionFactory, number: str) -> list[str]:
    async with db() as session:
        assert await audit.first_broken_link(session, number) is None
        return [event.action async for event in audit.read_all(session, number)]


@pytest.mark.parametrize(("language", "said"), [("en", "Expert review asked for"), ("zh-CN", "请求专家评审")])
async def test_the_expert_gets_a_mail_with_a_link_that_leads_to_the_facts_and_takes_one_answer(
    api: Callers, db: SessionFactory, number: str, language: str, said: str
) -> None:
    review = await ask(api, number, language=language)
    assert "email" not in review
    [mail] = await send(db, number)
    assert mail.to == "noor@clinic.test"
    assert said in (mail.subject or "")
    path = next(word for word in mail.text.split() if "/x/" in word).removeprefix("http://recall.test")
    page = await api.client.get(path)
    assert (page.status_code, page.headers["content-language"]) == (200, language)
    for shown in ("Does the alarm hold in intensive care?", "Cracked luer connectors", "Class II", number):
        assert shown in page.text
    for kept in ("Mei", "Quinn", "noor@clinic.test", "<script"):
        assert kept not in page.text
    assert ("可能性极小" in page.text) is (language == "zh-CN")
    done = await api.client.post(path, data=ANSWER)
    assert done.status_code == 200
    assert f"{number}/X{review['id']}" in done.text
    for again in (await api.client.get(path), await api.client.post(path, data=ANSWER)):
        assert again.status_code == 410
        assert number not in again.text
    [line] = (await api.get(f"/v1/recalls/{number}/assessment", Role.APPROVER)).json()["lines"]
    [heard] = line["experts"]
    assert (heard["state"], heard["agrees"], heard["recall_class"]) == ("answered", False, "I")
    assert (heard["answered_name"], heard["qualification"]) == ("Dr. Noor", "ICU")
    async with db() as session:
        task = (await session.exec(select(Task).where(col(Task.key) == f"expert:{review['id']}"))).one()
    assert (task.state, task.outcome) == ("done", "answered")
    assert {"expert_review.asked", "expert_review.answered", "access.refused"} <= set(await actions_of(db, number))


async def test_an_incomplete_answer_is_shown_again_with_what_is_missing_and_records_nothing(
    api: Callers, db: SessionFactory, number: str
) -> None:
    path = link(await ask(api, number))
    for left_out, said in (
        ({"agrees": ""}, "whether you agree"),
        ({"recall_class": ""}, "choose the class"),
        ({"recall_class": "IV"}, "choose the class"),
        ({"rationale": " "}, "give your reasons"),
        ({"name": "x" * 201}, "give your name"),
        ({"qualification": ""}, "give your qualification"),
    ):
        page = await api.client.post(path, data=ANSWER | left_out)
        assert page.status_code == 422, left_out
        assert said in page.text
    kept = await api.client.post(path, data=ANSWER | {"name": "", "rationale": "<b>Sepsis</b>"})
    assert "&lt;b&gt;Sepsis&lt;/b&gt;" in kept.text
    assert (await api.client.post(path, content=b"\xff\xfe=\x00")).status_code == 422
    chinese = await api.client.post(f"{path}?lang=zh-CN", data={})
    assert "请说明您是否同意" in chinese.text
    async with db() as session:
        assert (await session.exec(select(ExpertReview.state))).one() == "asked"
    agreed = await api.client.post(path, data=ANSWER | {"agrees": "yes"})
    assert agreed.status_code == 200
    async with db() as session:
        row = (await session.exec(select(ExpertReview))).one()
    assert (row.agrees, row.recall_class) == (True, None)


async def test_wrong_expired_foreign_and_withdrawn_links_tell_nothing_and_are_recorded(
    api: Callers, db: SessionFactory, number: str
) -> None:
    review = await ask(api, number)
    good = link(review)
    past = datetime.now(UTC) - timedelta(hours=1)
    expired = f"/x/{make_expert_token(LINK_SECRET, review_id=review['id'], expires_at=past)}"
    unknown = f"/x/{make_expert_token(LINK_SECRET, review_id=10**12, expires_at=due())}"
    base = f"/v1/recalls/{number}/expert-reviews/{review['id']}/withdraw"
    assert (await api.post(base, {"reason": "decided without"}, Role.MEDICAL)).status_code == 200
    assert (await api.post(base, {"reason": "again"}, Role.MEDICAL)).json()["type"].endswith("wrong-state")
    for path, status in (
        ("/x/nonsense", 403),
        (link(review, "another-secret-of-16"), 403),
        (expired, 410),
        (unknown, 410),
        (good, 410),
    ):
        page = await api.client.get(path)
        assert page.status_code == status, path
        assert number not in page.text
        assert LINE not in page.text
    async with db() as session:
        kinds = set((await session.exec(select(RefusedAccess.kind))).all())
    assert {"link_malformed", "link_signature", "expert_link_expired", "expert_link_used"} <= kinds


async def test_the_expert_is_reminded_with_whoever_asked_and_a_late_answer_is_shown_as_late(
    api: Callers, db: SessionFactory, number: str
) -> None:
    review = await ask(api, number)
    key = f"expert:{review['id']}"
    async with db.begin() as session:
        recall = await recalls.get(session, number)
        task = (await session.exec(select(Task).where(col(Task.key) == key))).one()
        assert task.remind_at is not None
        assert task.due_at == datetime.fromisoformat(review["due"]["at"])
        for _ in range(2):
            await task_turns.turn(session, recall, [key], task.remind_at)
    async with db() as session:
        kinds = [row.kind for row in await staff_messages.list_of(session, number) if row.expert_review_id]
    assert kinds == ["expert_request", "expert_reminder"]
    mails = await send(db, number)
    assert "Reminder" in (mails[1].subject or "")
    async with db.begin() as session:
        row = (await session.exec(select(ExpertReview))).one()
        row.asked_at, row.due_at = row.asked_at - timedelta(days=3), row.asked_at - timedelta(days=1)
        session.add(row)
    [shown] = (await api.get(f"/v1/recalls/{number}/expert-reviews", Role.AUDITOR)).json()
    assert shown["overdue"] is True


async def test_nothing_leaves_the_house_in_a_drill(
    api: Callers, db: SessionFactory, number: str, postgres: PostgresForTests
) -> None:
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET drill = true WHERE number = %s", [number])
    await ask(api, number)
    assert await send(db, number) == []
    async with db() as session:
        rows = (await session.exec(select(StaffMessage).where(col(StaffMessage.kind) == "expert_request"))).all()
    assert [row.state for row in rows] == ["blocked"]


@pytest.mark.parametrize(
    ("changes", "role", "status", "kind"),
    [
        ({}, Role.WAREHOUSE, 403, "not-permitted"),
        ({"product_line": "Gloves"}, Role.MEDICAL, 409, "wrong-phase"),
        ({"due_at": "2020-01-01T00:00:00+00:00"}, Role.MEDICAL, 422, "invalid"),
        ({"due_at": due(24 * 91).isoformat()}, Role.MEDICAL, 422, "invalid"),
        ({"email": "nobody"}, Role.MEDICAL, 422, "invalid"),
        ({"question": ""}, Role.MEDICAL, 422, "invalid"),
    ],
)
async def test_a_request_that_cannot_be_is_refused(
    api: Callers, number: str, changes: dict[str, Any], role: Role, status: int, kind: str
) -> None:
    answer = await api.post(f"/v1/recalls/{number}/expert-reviews", asking(**changes), role)
    assert answer.status_code == status, answer.text
    assert answer.json()["type"].endswith(kind)
