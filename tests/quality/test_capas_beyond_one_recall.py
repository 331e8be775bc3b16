"""One CAPA that answers for several recalls, one without any, and what comes again after it was closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.quality import QualityActivities
from db.engine import SessionFactory
from db.repositories import capa as capas
from db.repositories import capa_steps, checklist
from domain.checklist import Item
from domain.roles import Role
from domain.workflow_ids import capa_id
from models.messages import EMAIL_QUEUE, SMS_QUEUE
from models.messages_quality import TurnQuality
from tests.api.conftest import *  # noqa: F403 - the API's fixtures
from tests.capa.capa_run import QUINN, CapaRun
from tests.capa.conftest import capa_worker, next_number, no_mail_server, start_capa, until_open, write_recall
from tests.quality.test_codes import SAMPLE, load
from tests.quality.test_nonconformities import found, ok
from tests.quality.test_supplier_requests import URL as SUPPLIER_REQUESTS
from tests.quality.test_supplier_requests import ask
from tests.support.api import Callers
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow
CAUSE = {"five_whys": ["It cracked."], "cause": "Wet resin", "category": "material"}


@pytest_asyncio.fixture
async def two(api: Callers, temporal: WorkflowEnvironment, db: SessionFactory) -> AsyncIterator[list[CapaRun]]:
    """Two recalls, each with its CAPA in investigation."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(capa_worker(temporal, db))
        for queue in (EMAIL_QUEUE, SMS_QUEUE):
            await stack.enter_async_context(Worker(temporal.client, task_queue=queue, activities=[no_mail_server]))
        runs = []
        for _ in range(2):
            number = next_number()
            await write_recall(db, number)
            runs.append(CapaRun(db, await start_capa(temporal, number), number))
            await until_open(runs[-1])
        yield runs
        for run in runs:
            with suppress(RPCError):
                await temporal.client.get_workflow_handle(capa_id(run.number, 1)).terminate("test over")


async def open_points(db: SessionFactory, number: str) -> tuple[str, ...]:
    async with db() as session:
        items = await checklist.checklist(session, number, datetime.now(UTC))
    return next(each.open for each in items if each.key == Item.CAPA)


async def test_a_merged_capa_counts_with_what_the_other_one_has_until_it_is_reopened(
    two: list[CapaRun], api: Callers, db: SessionFactory
) -> None:
    first, second = two
    url = f"/v1/recalls/{second.number}/capas/1"
    into = {"file": first.number, "reason": "The same resin lot."}
    nobody = await api.post(f"{url}/merge", {"file": "RC-2001-000001", "reason": "x"})
    assert (nobody.status_code, nobody.json()["errors"][0]["pointer"]) == (422, "#/file")
    itself = await api.post(f"{url}/merge", into | {"file": second.number})
    assert itself.status_code == 422
    merged = await ok(await api.post(f"{url}/merge", into))
    assert merged["capa_state"] == "merged"
    assert await second.open_tasks() == set()
    shown = (await api.get(url)).json()
    assert (shown["merged_into"], shown["merged_by"]) == (f"{first.number}/capas/1", "Quinn")
    assert (await api.get(f"/v1/recalls/{first.number}/capas/1")).json()["merged"] == [f"{second.number}/capas/1"]
    assert f"merged into CAPA 1 of {first.number}" in (await open_points(db, second.number))[0]
    await first.investigate()
    await first.find_cause()
    await first.plan()
    await first.approve()
    assert await open_points(db, second.number) == await open_points(db, first.number) == ()
    back = await ok(await api.post(f"{url}/reopen", {"reason": "Another resin after all."}))
    assert back["capa_state"] == "investigation"
    assert (await api.get(url)).json()["merged_into"] is None
    assert len(await open_points(db, second.number)) == 2
    assert (await second.audited())[-2:] == ["capa.merged", "capa.reopened"]


async def test_two_capas_are_never_merged_into_each_other_nor_into_a_closed_one(
    two: list[CapaRun], api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    first, second = two
    urls = [f"/v1/recalls/{each.number}/capas/1/merge" for each in two]
    into = [{"file": each.number, "reason": "The same resin lot."} for each in (second, first)]
    both = await asyncio.gather(*(api.post(url, body) for url, body in zip(urls, into, strict=True)))
    assert sorted(each.status_code for each in both) == [200, 422]
    merged = both[0].status_code != 200
    other, own = two[not merged], two[merged]
    await ok(await api.post(f"/v1/recalls/{own.number}/capas/1/reopen", {"reason": "Another resin after all."}))
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE capa SET state = 'closed' WHERE recall_number = %s", [other.number])
    closed = await api.post(urls[merged], {"file": other.number, "reason": "Closed, so it is done."})
    assert (closed.status_code, closed.json()["errors"][0]["pointer"]) == (422, "#/file")
    async with db.begin() as session:
        capa, target = await capas.get(session, own.number, 1), await capas.get(session, other.number, 1)
        with pytest.raises(ValueError, match="is closed"):
            await capa_steps.merge(session, capa, target.id or 0, "x", QUINN, datetime.now(UTC))


async def test_a_capa_without_a_recall_answers_a_nonconformity_and_carries_codes(
    two: list[CapaRun], api: Callers, db: SessionFactory, temporal: WorkflowEnvironment
) -> None:
    await load(db, SAMPLE.read_text(), "2026", datetime(2026, 1, 1, tzinfo=UTC))
    nc = (await ok(await api.post("/v1/nonconformities", found()), 201))["number"]
    body = {"title": "Wet resin", "reason": "Third time this year.", "nonconformities": [nc]}
    missing = await api.post("/v1/capas", body | {"nonconformities": ["NC-2001-000001"]})
    assert missing.json()["errors"][0]["pointer"] == "#/nonconformities/0"
    opened = await ok(await api.post("/v1/capas", body, key="open"), 202)
    assert (await ok(await api.post("/v1/capas", body, key="open"), 202))["number"] == opened["number"]
    run = CapaRun(db, temporal.client.get_workflow_handle(opened["workflow_id"]), opened["number"])
    await until_open(run)
    url = opened["status_url"]
    await ok(await api.post(f"{url}/investigation", {"account": "Mould 3."}))
    wrong = await api.post(f"{url}/cause", CAUSE | {"codes": ["C06", "E2311"]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "#/codes/1")
    uncategorised = await api.post(f"{url}/cause", CAUSE | {"codes": ["G04073"]})
    assert (uncategorised.status_code, uncategorised.json()["errors"][0]["pointer"]) == (422, "#/codes")
    await ok(await api.post(f"{url}/cause", CAUSE | {"codes": ["C06", "D04"]}))
    shown = (await api.get(url)).json()
    assert ([each["code"] for each in shown["codes"]], shown["nonconformities"]) == (["C06", "D04"], [nc])
    assert [each["state"] for each in (await api.get("/v1/capas")).json()["items"]] == ["planning"]
    day = (await api.get("/v1/tasks", Role.QA, mine="true")).json()["items"]
    assert "capa:1:capa_plan" in {each["key"].removesuffix(":1") for each in day} or any(
        each["file_number"] == opened["number"] for each in day
    )
    # A recall's CAPA may be merged into it.
    into = {"file": opened["number"], "reason": "The same cause."}
    assert (await ok(await api.post(f"/v1/recalls/{two[0].number}/capas/1/merge", into)))["capa_state"] == "merged"
    await run.handle.terminate("test over")


async def test_what_comes_again_after_the_closing_asks_once_for_a_reopening(
    two: list[CapaRun], api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    run, now = two[0], datetime.now(UTC)
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute(
            "UPDATE capa SET state = 'closed', closed_at = %s, recurrence_allowed = 1 WHERE recall_number = %s",
            [now - timedelta(days=40), run.number],
        )
        owner.execute(
            "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth)"
            " SELECT %s, 1, id, true, 0 FROM lot",
            [run.number],
        )
    look, later = QualityActivities(db), TurnQuality(now=now + timedelta(seconds=5))
    for day, turned in ((30, 0), (10, 1), (10, 1)):
        detected = (now - timedelta(days=day)).isoformat()
        await ok(await api.post("/v1/nonconformities", found(detected_at=detected)), 201)
        assert (await look.turn_quality(later)).turned == turned
        assert (await look.turn_quality(later)).turned == 0
    trend = (await api.get(f"/v1/recalls/{run.number}/capas/1/recurrence")).json()
    assert (trend["total"], trend["allowed"], trend["signal"]) == (3, 1, True)
    assert {(each["kind"], each["by"]) for each in trend["events"]} == {("nonconformity", "product")}
    keys = {key for key in await run.open_tasks() if key.startswith("recurrence:")}
    assert keys == {"recurrence:1:1:2", "recurrence:1:1:3"}
    open_one = await api.get(f"/v1/recalls/{two[1].number}/capas/1/recurrence")
    assert open_one.status_code == 409


async def test_what_was_merged_into_a_capa_and_the_supplier_it_asked_are_of_its_kind(
    two: list[CapaRun], api: Callers, db: SessionFactory, postgres: PostgresForTests
) -> None:
    await load(db, SAMPLE.read_text(), "2026", datetime(2026, 1, 1, tzinfo=UTC))
    (run, other), now = two, datetime.now(UTC)
    answered = (await ok(await api.post("/v1/nonconformities", found(lots=[], codes=["A05"])), 201))["number"]
    await ok(await api.post(SUPPLIER_REQUESTS, ask("", nonconformity=None, capa_file=run.number)), 201)
    with psycopg.connect(postgres.owner_url) as owner:
        close = "UPDATE capa SET state = 'closed', closed_at = %s WHERE recall_number = %s RETURNING id"
        ((into,),) = owner.execute(close, [now - timedelta(days=40), run.number]).fetchall()
        merge = "UPDATE capa SET state = 'merged', merged_into_id = %s WHERE recall_number = %s RETURNING id"
        ((merged,),) = owner.execute(merge, [into, other.number]).fetchall()
        owner.execute("INSERT INTO capa_nonconformity VALUES (%s, %s, 'quinn', now())", [merged, answered])
    again: list[dict[str, Any]] = [{"codes": ["A05"]}, {"supplier_code": "T1001"}, {"codes": ["A0401"]}, {}]
    for days, change in enumerate(again, 20):
        detected = (now - timedelta(days=days)).isoformat()
        await ok(await api.post("/v1/nonconformities", found(lots=[], detected_at=detected) | change), 201)
    trend = (await api.get(f"/v1/recalls/{run.number}/capas/1/recurrence")).json()
    assert [each["by"] for each in trend["events"]] == ["supplier", "code"]
