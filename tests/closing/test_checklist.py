"""The completion checklist: a complete recall has nothing open; with one thing open, exactly its item says so."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.closing import ChecklistActivities
from db.engine import SessionFactory
from db.repositories import checklist
from domain.checklist import SHOWN, TITLES, ChecklistItem, Found, Item, item_of_task, make_items, still_open
from models.messages import RecallRef
from tests.closing.complete import CompleteRecall
from tests.closing.openers import OPENERS, site_is_left_short, units_are_left_at_a_hospital
from tests.closing.world import HOUR, NUMBER, T0
from tests.support.servers import PostgresForTests

NOW = T0 + timedelta(days=10)
CASES = [(item, opener) for item, openers in OPENERS.items() for opener in openers]


async def read(db: SessionFactory) -> list[ChecklistItem]:
    async with db() as session:
        return await checklist.checklist(session, NUMBER, NOW)


@pytest.mark.db
async def test_a_complete_recall_has_every_item_met(db: SessionFactory, clean_db: PostgresForTests) -> None:
    CompleteRecall(clean_db.admin_url)
    items = await read(db)
    assert [(item.key, item.open) for item in items if not item.ok] == []
    assert [item.key for item in items] == [item.value for item in Item]
    assert all(item.total == 0 and item.title for item in items)


@pytest.mark.db
@pytest.mark.parametrize(("item", "opener"), CASES, ids=[opener.__name__ for _, opener in CASES])
async def test_one_thing_open_is_reported_under_exactly_its_item_and_by_name(
    db: SessionFactory, clean_db: PostgresForTests, item: str, opener: Callable[[CompleteRecall], str]
) -> None:
    named = opener(CompleteRecall(clean_db.admin_url))
    found = still_open(await read(db))
    assert [each.key for each in found] == [item]
    (only,) = found
    assert only.total == len(only.open) == 1
    assert named in only.open[0]


def test_every_item_of_the_checklist_has_a_way_to_be_open() -> None:
    assert set(OPENERS) == {item.value for item in Item} == {item.value for item in TITLES}


@pytest.mark.db
async def test_a_signed_share_closes_the_item_until_more_is_missing(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    recall = CompleteRecall(clean_db.admin_url)
    recall.world.statement(recall.second, {recall.lot: {"used": 15}})
    sign = {
        "recall_number": NUMBER,
        "step": "unaccounted",
        "outcome": "signed",
        "actor": "hanna",
        "role": "head_of_quality",
        "meaning": "m",
        "signed_at": T0 + 4 * HOUR,
    }
    body = {"lots": {str(recall.lot): {"unaccounted": "5", "residual": "0"}}, "request": "r"}
    recall.world.add("sign_off", **sign, body=body)
    assert still_open(await read(db)) == []
    recall.world.statement(recall.second, {recall.lot: {"used": 14}})
    assert [item.key for item in still_open(await read(db))] == ["unaccounted"]
    recall.world.statement(recall.second, {recall.lot: {"used": 16}})
    assert still_open(await read(db)) == [], "less is missing than was signed for"


@pytest.mark.db
async def test_what_has_left_a_hospital_since_it_answered_is_not_pending(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    recall = CompleteRecall(clean_db.admin_url)
    units_are_left_at_a_hospital(recall)
    recall.world.disposed("destroy", recall.lot, 4, place=recall.second)
    assert still_open(await read(db)) == []


@pytest.mark.db
async def test_what_is_carried_over_as_nonconformity_is_not_pending(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    recall = CompleteRecall(clean_db.admin_url)
    recall.world.hold(recall.lot, recall.plant, 3, "nonconformity", confirmed_at=T0, ended_at=T0)
    assert still_open(await read(db)) == []


@pytest.mark.db
async def test_a_documented_or_withdrawn_consignee_is_nothing_open(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    recall = CompleteRecall(clean_db.admin_url)
    for state in ("documented", "withdrawn"):
        recall.world.run("UPDATE consignee SET state = %s WHERE id = %s", state, recall.world.consignees[recall.second])
        keys = [item.key for item in still_open(await read(db))]
        assert "consignees" not in keys
        assert "effectiveness" not in keys


@pytest.mark.db
async def test_a_stopped_obligation_and_a_met_one_are_nothing_open(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    recall = CompleteRecall(clean_db.admin_url)
    recall.world.run("UPDATE deadline SET due_at = %s, met_at = %s", T0, T0)
    assert still_open(await read(db)) == []
    recall.world.run("UPDATE deadline SET met_at = NULL, stopped_at = %s", T0)
    assert still_open(await read(db)) == []


@pytest.mark.db
async def test_a_shortage_that_is_decided_about_is_nothing_open(db: SessionFactory, clean_db: PostgresForTests) -> None:
    recall = CompleteRecall(clean_db.admin_url)
    site_is_left_short(recall)
    recall.world.run("UPDATE shortage SET settled_at = %s, settled_by = 'hilde'", T0)
    assert still_open(await read(db)) == []


@pytest.mark.db
async def test_the_workflow_gets_the_open_items_with_long_lists_cut(
    db: SessionFactory, clean_db: PostgresForTests
) -> None:
    recall = CompleteRecall(clean_db.admin_url)
    for number in range(SHOWN + 7):
        recall.world.task(f"evaluation:{number}", "evaluation")
    activities = ChecklistActivities(db)
    figures = await ActivityEnvironment().run(activities.read_checklist, RecallRef(number=NUMBER, now=NOW))
    (tasks,) = figures.open
    assert (tasks.key, len(tasks.open), tasks.total) == ("tasks", SHOWN, SHOWN + 7)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("key", "step", "item"),
    [
        ("query:4", "query", Item.QUERIES),
        ("authority:4", "visit", Item.CASES),
        ("authority:us-fda", "authority_answer", None),
        ("completion:quality", "completion", None),
        ("anything", "verification", None),
        ("capa:1:plan", "capa_plan", None),
        ("disposition:4", "disposition_approval", Item.DISPOSITIONS),
        ("gate:us-fda:x", "gate", Item.TASKS),
        ("notice", "notice_approval", Item.CAMPAIGN),
        ("notice_review:2", "notice_approval", Item.CAMPAIGN),
    ],
)
def test_a_task_stands_under_the_item_it_belongs_to(key: str, step: str, item: Item | None) -> None:
    assert item_of_task(key, step) is item


@pytest.mark.unit
def test_items_keep_their_order_and_count_more_than_they_name() -> None:
    items = make_items({Item.TASKS: Found(["a"], 3)})
    assert [item.key for item in items] == [item.value for item in Item]
    assert still_open(items) == [ChecklistItem(key="tasks", ok=False, title=TITLES[Item.TASKS], open=("a",), total=3)]
    assert items[-1].cut(0).open == ()
