"""Passages of a draft that rules cannot judge: somebody is asked to read them, by name, until nobody has to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text
from sqlmodel import select
from temporalio.client import Client

import worker
from activities.closing_records import ClosingActivities
from activities.notice import NoticeActivities
from activities.notice_rendering import NoticeRenderer
from activities.policies import PolicyStore
from activities.tasks import TaskActivities
from api.routers import notice_checks as router
from db.engine import SessionFactory
from db.repositories import audit, notice_checks, recall_texts, recalls, responsibilities, staff_messages
from db.repositories.notice_checks import Review
from db.repositories.recall_texts import Texts
from domain.roles import Role
from domain.workflow_ids import recall_id
from models.messages import Actor, CloseTask, DraftNotice, EndRecall, NoticeDraft, OwnTasks, TaskClocks, TurnTasks
from models.notice_check import ReviewVerdict
from models.staff import StaffMessage
from models.task import Task
from settings import Settings
from tests.activities.conftest import NOW, NUMBER, SRN, Case, chain, decision, make_case  # noqa: F401 - a fixture
from tests.activities.test_task_locks import _waits_for, _write_chain
from tests.activities.test_task_turns import person
from tests.api.test_notice_content import BASE, check_of, review, send_review
from tests.support.api import PEOPLE, Callers, calling, make_tokens

pytestmark = pytest.mark.db
ONE: dict[str, Any] = {"hazard": "A minor delay of treatment."}
TWO = ONE | {"reason": "A minor fault."}
RAFAEL, MEI = PEOPLE[Role.REGULATORY], PEOPLE[Role.MEDICAL]
WORKFLOW = recall_id(NUMBER)


@dataclass
class Desk:
    """A recall of which notices are drafted, and whom its workflow was told of."""

    db: SessionFactory
    api: Callers
    lots: dict[str, int]
    told: list[tuple[str, str]] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    async def tell(self, workflow: str, key: str) -> None:
        self.told.append((workflow, key))

    @property
    def case(self) -> Case:
        return self.cases[0]

    async def draft(self, version: int = 1, **facts: Any) -> NoticeDraft:
        """A version of the first notice; `facts` are the recall's."""
        if not self.cases:
            self.cases.append(await make_case(self.db, self.lots, **facts))
            await self.case.decided()
            settings = Settings(state_dir=Path("unused"), eu_srn=SRN)
            self.case.notice = NoticeActivities(self.db, NoticeRenderer(), settings, tell=self.tell)
            self.case.tasks = TaskActivities(self.db, self.tell)
        return await self.again(version)

    async def again(self, version: int) -> NoticeDraft:
        drafted: NoticeDraft = await self.case.run(
            self.case.notice.draft_notice, DraftNotice(number=NUMBER, now=NOW, version=version)
        )
        return drafted

    async def correct(self, by: str = "quinn", **texts: str) -> None:
        async with self.db.begin() as session:
            recall = await recalls.get(session, NUMBER, lock=True)
            given = Texts(texts.get("reason", recall.reason), texts.get("hazard", recall.hazard), recall.translations)
            await recall_texts.correct(session, recall, given, why="Read again.", by=by, role="qa", now=NOW)

    async def asked(self) -> dict[str, Task]:
        """Tasks to read passages, by key."""
        async with self.db() as session:
            assert await audit.first_broken_link(session, NUMBER) is None
            rows = (await session.exec(select(Task).order_by(Task.id))).all()  # type: ignore[arg-type]
        return {row.key: row for row in rows if row.key.startswith("notice_review")}

    async def states(self) -> dict[str, str]:
        return {key: task.state for key, task in (await self.asked()).items()}

    async def shown(self) -> dict[str, Any]:
        """The newest draft as the API shows it."""
        notices: list[dict[str, Any]] = (await self.api.get(f"{BASE}/notices")).json()
        return max(notices, key=lambda each: each["version"])

    async def passages(self) -> list[str]:
        return [each["id"] for each in (await check_of(self.api, await self.shown()))["passages"]]

    async def say(self, passages: list[str], verdict: str = "confirmed") -> None:
        said = review(await self.shown(), passages, verdict, note="Read against the evaluation.")
        answer = await send_review(self.api, await self.shown(), said)
        assert answer.status_code == 200, answer.text


@pytest_asyncio.fixture
async def desk(application: FastAPI, db: SessionFactory, chain: dict[str, int]) -> AsyncIterator[Desk]:  # noqa: F811
    async with calling(application) as client:
        yield Desk(db, Callers(client, await make_tokens(db)), chain)


async def responsible(db: SessionFactory, principal: str) -> None:
    """Somebody who answers for regulatory affairs, for everything; deputy: Ruth."""
    for name in (principal, "Ruth"):
        await person(db, name, Role.REGULATORY)
    rule = responsibilities.ResponsibilityFacts(Role.REGULATORY, principal, NOW.date(), stand_in="Ruth")
    async with db.begin() as session:
        await responsibilities.add(session, rule, responsibilities.By("adam", "admin", NOW))


async def test_a_draft_with_passages_asks_a_reader_by_name_whom_the_recalls_timers_remind(desk: Desk) -> None:
    await responsible(desk.db, RAFAEL)
    drafted = await desk.draft(**TWO)
    assert await desk.again(1) == drafted, "a repeat of the activity asks nobody twice"
    [task] = (await desk.asked()).values()
    assert (task.key, task.role, task.assignee, task.owner) == ("notice_review:1", "regulatory", RAFAEL, WORKFLOW)
    assert task.what.startswith("Review 2 passages of notice 1")
    assert f"GET {BASE}/notices/{drafted.notice_id}/check" in task.what
    assert desk.told == [(WORKFLOW, "notice_review:1")] * 2, "and a repeat tells the workflow again"

    own: TaskClocks = await desk.case.run(desk.case.tasks.task_clock, OwnTasks(number=NUMBER, owner=WORKFLOW, now=NOW))
    [clock] = [each for each in own.clocks if each.key == task.key]
    assert clock.remind_at is not None
    assert clock.due_at is not None
    assert NOW < clock.remind_at < clock.due_at
    for at in (clock.remind_at, clock.due_at):
        await desk.case.run(desk.case.tasks.turn_tasks, TurnTasks(number=NUMBER, keys=(task.key,), now=at))
    late = (await desk.asked())[task.key]
    assert (late.role, late.stage) == ("head_of_regulatory", 3), "no other function is known to be able to"
    async with desk.db() as session:
        told: list[StaffMessage] = await staff_messages.list_of(session, NUMBER)
    assert [(each.principal, each.kind) for each in told if each.task_id == task.id] == [
        (RAFAEL, "assigned"),
        (RAFAEL, "reminder"),
    ]


class Temporal:
    """A client that keeps the signals it is to send."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, ...]] = []

    def get_workflow_handle(self, workflow: str) -> Any:
        async def signal(name: str, *arguments: str) -> None:
            self.signals.append((workflow, name, *arguments))

        return SimpleNamespace(signal=signal)


async def test_the_worker_signals_the_recall(desk: Desk) -> None:
    await desk.draft()
    await desk.correct(**ONE)
    temporal, settings = Temporal(), Settings(state_dir=Path("unused"), eu_srn=SRN)
    policies, client = PolicyStore.load(worker.HERE / "policies"), cast(Client, temporal)
    both = (*worker.asking(client, desk.db, policies, settings), *worker.deciding(client, desk.db, policies, settings))
    activities = {each.__name__: each for each in both}
    await desk.case.run(activities["draft_notice"], DraftNotice(number=NUMBER, now=NOW, version=2))
    taken = CloseTask(number=NUMBER, key="notice:2", outcome="replaced: it changed", done_by="system", now=NOW)
    await desk.case.run(activities["close_task"], taken)
    assert temporal.signals == [(WORKFLOW, "task_moved", "notice_review:2")] * 2
    assert await desk.states() == {"notice_review:2": "cancelled"}


async def test_the_reader_finds_it_on_the_own_list_and_cannot_tick_it_off(desk: Desk) -> None:
    await responsible(desk.db, RAFAEL)
    await desk.draft(**ONE)
    mine = (await desk.api.get("/v1/tasks?mine=true", Role.REGULATORY)).json()["items"]
    [task] = [each for each in mine if each["key"] == "notice_review:1"]
    assert "Review 1 passage of notice 1" in task["what"]
    ticked = await desk.api.post(f"/v1/tasks/{task['id']}/complete", {"outcome": "Read."}, Role.REGULATORY)
    assert ticked.status_code == 409
    assert await desk.states() == {"notice_review:1": "offered"}


async def test_who_wrote_the_texts_is_not_asked_to_read_them(desk: Desk) -> None:
    await responsible(desk.db, RAFAEL)
    await desk.draft()
    await desk.correct(by=RAFAEL, **ONE)
    await desk.again(2)
    [task] = (await desk.asked()).values()
    assert (task.role, task.assignee) == ("regulatory", None), "the whole function is asked, not the writer by name"


async def test_a_draft_without_passages_asks_nobody(desk: Desk) -> None:
    await desk.draft()
    assert (await desk.asked(), desk.told) == ({}, [])


async def test_the_last_confirmation_closes_it_and_the_recall_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    nudged: list[Any] = []

    async def nudge(_: Any, owners: Any) -> None:
        nudged.extend(owners)

    monkeypatch.setattr(router, "nudge_owners", nudge)
    await desk.draft(**TWO)
    first, last = await desk.passages()
    await desk.say([first])
    assert (await desk.states(), nudged) == ({"notice_review:1": "offered"}, [])
    await desk.say([last])
    [task] = (await desk.asked()).values()
    assert (task.state, task.outcome, task.done_by) == ("done", "confirmed", MEI)
    assert nudged == [(WORKFLOW, "notice_review:1")]
    await desk.again(1)
    assert await desk.states() == {"notice_review:1": "done"}, "a repeat of the draft does not ask again"


async def test_a_rejection_closes_it_and_the_next_draft_asks_anew(desk: Desk) -> None:
    await desk.draft(**TWO)
    await desk.say((await desk.passages())[:1], "rejected")
    [task] = (await desk.asked()).values()
    assert (task.state, task.outcome) == ("done", "rejected: 1 of 2 passages; the texts are to be corrected")
    await desk.correct(reason="A fault.")
    await desk.again(2)
    assert await desk.states() == {"notice_review:1": "done", "notice_review:2": "offered"}
    assert "Review 1 passage of notice 2" in (await desk.asked())["notice_review:2"].what


async def test_a_new_draft_replaces_it_and_its_timers_end(desk: Desk) -> None:
    await desk.draft(**ONE)
    await desk.again(2)
    assert await desk.states() == {"notice_review:1": "cancelled", "notice_review:2": "offered"}
    await desk.correct(hazard="Missed infection")
    desk.told.clear()
    await desk.again(3)
    assert await desk.states() == {"notice_review:1": "cancelled", "notice_review:2": "cancelled"}
    assert (await desk.asked())["notice_review:2"].outcome == "replaced: version 3 is drafted"
    assert [workflow for workflow, _ in desk.told] == [WORKFLOW], "it reads its tasks again"


@pytest.mark.parametrize("release", ["notice", "notice:sign:2"])
async def test_it_ends_with_the_task_to_release_a_draft_that_is_taken_back(desk: Desk, release: str) -> None:
    await desk.draft(**ONE)
    desk.told.clear()
    for _ in range(2):
        taken = CloseTask(number=NUMBER, key=release, outcome="replaced: it changed", done_by="system", now=NOW)
        await desk.case.run(desk.case.tasks.close_task, taken)
    [task] = (await desk.asked()).values()
    assert (task.state, task.outcome) == ("cancelled", "replaced: it changed")
    assert desk.told == [(WORKFLOW, "notice_review:1")] * 2
    async with desk.db() as session:
        ends = [each async for each in audit.read_all(session, NUMBER) if each.action == "task.cancelled"]
    assert [each.data["key"] for each in ends] == ["notice_review:1"]


async def test_the_release_ends_one_that_is_still_open(desk: Desk) -> None:
    """As where the last word came by an API of the release before this one."""
    drafted = await desk.draft(**ONE)
    async with desk.db.begin() as session:
        found = await notice_checks.standing(session, NUMBER, drafted.notice_id)
        assert found is not None
        said = Review(
            [each["id"] for each in found.unconfirmed], ReviewVerdict.confirmed, None, MEI, "medical", None, NOW
        )
        await notice_checks.record_review(session, found, said)
    release = decision(
        "approve_notice",
        Actor(principal="ada", roles=("approver",)),
        notice_id=drafted.notice_id,
        sha256=drafted.sha256,
    )
    await desk.case.run(desk.case.notice.record_notice_approval, release)
    [task] = (await desk.asked()).values()
    assert (task.state, task.outcome) == ("cancelled", "the notice is released")


async def test_it_ends_with_the_recall_and_a_draft_that_was_under_way_asks_nobody(desk: Desk) -> None:
    await desk.draft(**ONE)
    end = EndRecall(number=NUMBER, now=NOW, actor=Actor(principal="ada", roles=("approver",)), reason="Another lot.")
    await desk.case.run(ClosingActivities(desk.db).record_cancellation, end)
    assert await desk.states() == {"notice_review:1": "cancelled"}
    await desk.again(2)
    assert await desk.states() == {"notice_review:1": "cancelled"}


async def test_a_review_waits_for_whoever_moves_the_task_and_then_writes_the_chain(desk: Desk) -> None:
    await desk.draft(**ONE)
    passages = await desk.passages()
    moved = datetime.now(UTC) + timedelta(hours=3)
    async with desk.db.begin() as holder:
        await recalls.share(holder, [NUMBER])  # as for any act on a task
        connection = await holder.connection()
        await connection.execute(text("UPDATE task SET due_at = :at WHERE key = 'notice_review:1'"), {"at": moved})
        me = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        saying = asyncio.create_task(desk.say(passages))
        async with asyncio.timeout(20):
            while not await _waits_for(desk.case, me):  # noqa: ASYNC110 - only the database knows who waits
                await asyncio.sleep(0.01)
        await _write_chain(holder)
    await saying
    [task] = (await desk.asked()).values()
    assert (task.state, task.due_at) == ("done", moved)
