"""Lists: filters, and pages that neither skip nor repeat a row while rows are being added."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from domain.roles import Role
from tests.support.api import Callers
from tests.support.recalls import write_recall
from tests.support.servers import PostgresForTests

pytestmark = pytest.mark.workflow


def write_recalls(postgres: PostgresForTests, count: int, first: int = 1) -> list[str]:
    """Recalls of rising age of creation."""
    numbers = [write_recall(postgres.owner_url, f"RC-2026-{first + n:06d}") for n in range(count)]
    with psycopg.connect(postgres.owner_url) as owner:
        for number in numbers:
            owner.execute(
                "UPDATE recall SET created_at = created_at + %s WHERE number = %s",
                [timedelta(minutes=int(number[-6:]) // 2), number],
            )
    return numbers


async def pages(api: Callers, url: str, **params: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list."""
    found, cursor = [], None
    while True:
        answer = await api.get(url, **params | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_pages_cover_every_recall_once_newest_first(api: Callers, postgres: PostgresForTests) -> None:
    numbers = write_recalls(postgres, 7)
    seen = [item["number"] for page in await pages(api, "/v1/recalls", limit=3) for item in page]
    assert seen == sorted(numbers, reverse=True)


async def test_rows_added_between_pages_shift_nothing(api: Callers, postgres: PostgresForTests) -> None:
    numbers = write_recalls(postgres, 6)
    first = (await api.get("/v1/recalls", limit=3)).json()
    write_recalls(postgres, 3, first=100)
    second = (await api.get("/v1/recalls", limit=3, cursor=first["next_cursor"])).json()
    seen = [item["number"] for item in first["items"] + second["items"]]
    assert seen == sorted(numbers, reverse=True)
    assert second["next_cursor"] is None


async def test_a_cursor_is_good_for_its_own_list_and_filters_only(api: Callers, postgres: PostgresForTests) -> None:
    write_recalls(postgres, 3)
    cursor = (await api.get("/v1/recalls", limit=1)).json()["next_cursor"]
    others: list[tuple[str, dict[str, Any]]] = [
        ("/v1/recalls", {"drill": "true"}),
        ("/v1/tasks", {}),
        ("/v1/recalls/RC-2026-000001/holds", {}),
    ]
    for url, params in others:
        answer = await api.get(url, cursor=cursor, **params)
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:recall:problem:bad-cursor")
    tampered = await api.get("/v1/recalls", cursor=cursor[:-1] + ("A" if cursor[-1] != "A" else "B"))
    assert tampered.status_code == 400


async def test_filters_narrow_the_list(api: Callers, postgres: PostgresForTests) -> None:
    write_recalls(postgres, 4)
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE recall SET phase = 'gates', recall_class = 'I' WHERE number = 'RC-2026-000001'")
        owner.execute("UPDATE recall SET jurisdictions = '{us-fda,cn-nmpa}' WHERE number = 'RC-2026-000002'")
        owner.execute(
            "UPDATE recall SET next_deadline_at = now() - interval '1 hour', next_deadline_name = 'first notice' "
            "WHERE number = 'RC-2026-000003'"
        )
        owner.execute("UPDATE recall SET drill = true, title = '100%_safe' WHERE number = 'RC-2026-000004'")
        owner.execute("UPDATE recall SET scope_version = 1 WHERE number = 'RC-2026-000002'")
        owner.execute(
            "INSERT INTO scope_lot (recall_number, scope_version, lot_id, root, depth) "
            "SELECT 'RC-2026-000002', 1, id, true, 0 FROM lot"
        )
    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({"phase": "gates"}, [1]),
        ({"class": "I"}, [1]),
        ({"jurisdiction": "cn-nmpa"}, [2]),
        ({"overdue": "true"}, [3]),
        ({"overdue": "false"}, [4, 2, 1]),
        ({"drill": "true"}, [4]),
        ({"q": "100%_"}, [4]),
        ({"q": "%"}, [4]),
        ({"q": "rc-2026-00000"}, [4, 3, 2, 1]),
        ({"product": "Infusion sets"}, [2]),
        ({"product": "nothing"}, []),
    ]
    for params, numbers in expected:
        items = (await api.get("/v1/recalls", **params)).json()["items"]
        assert [item["number"] for item in items] == [f"RC-2026-{n:06d}" for n in numbers], params


async def test_mine_is_what_is_offered_to_my_roles_or_assigned_to_me(api: Callers, postgres: PostgresForTests) -> None:
    number = write_recall(postgres.owner_url)
    with psycopg.connect(postgres.owner_url) as owner:
        for key, role, assignee, state in (
            ("a", "qa", None, "offered"),
            ("b", "medical", None, "offered"),
            ("c", "medical", "Quinn", "accepted"),
            ("d", "qa", "Somebody", "accepted"),
            ("e", "qa", "Quinn", "done"),
        ):
            owner.execute(
                "INSERT INTO task (recall_number, key, step, what, role, assignee, state, opened_at, due_at, "
                "evidence_required) VALUES (%s, %s, 'assessment', 'do', %s, %s, %s, now(), "
                "now() - interval '1 hour', false)",
                [number, key, role, assignee, state],
            )
    mine = (await api.get("/v1/tasks", mine="true")).json()["items"]
    assert [task["key"] for task in mine] == ["a", "c"]
    assert all(task["overdue"] for task in mine)
    done = (await api.get("/v1/tasks", mine="true", state="done")).json()["items"]
    assert [task["key"] for task in done] == ["e"]
    per_recall = await pages(api, f"/v1/recalls/{number}/tasks", limit=2)
    assert [task["key"] for page in per_recall for task in page] == list("abcde")


async def test_a_task_is_accepted_by_its_role_once(api: Callers, postgres: PostgresForTests) -> None:
    number = write_recall(postgres.owner_url)
    with psycopg.connect(postgres.owner_url) as owner:
        row = owner.execute(
            "INSERT INTO task (recall_number, key, step, what, role, state, opened_at, evidence_required) "
            "VALUES (%s, 'k', 'assessment', 'do', 'medical', 'offered', now(), false) RETURNING id",
            [number],
        ).fetchone()
    assert row is not None
    url = f"/v1/tasks/{row[0]}/accept"
    assert (await api.post(url, None, Role.QA)).status_code == 403
    accepted = await api.post(url, None, Role.MEDICAL)
    assert (accepted.status_code, accepted.json()["assignee"], accepted.json()["state"]) == (200, "Mei", "accepted")
    assert (await api.post(url, None, Role.MEDICAL)).status_code == 200, "one's own task again changes nothing"
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE task SET assignee = 'Another medical'")
    taken = await api.post(url, None, Role.MEDICAL)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:recall:problem:task-not-open")
    assert (await api.post("/v1/tasks/999999/accept", None, Role.MEDICAL)).status_code == 404
    assert (await api.post(url, None, Role.AUDITOR)).status_code == 403


@pytest.mark.parametrize(("key", "status"), [("help:7", 200), ("deadline:cn-nmpa:x", 409), ("assessment", 409)])
async def test_only_a_task_no_decision_ends_is_completed_by_saying_what_came_of_it(
    api: Callers, postgres: PostgresForTests, key: str, status: int
) -> None:
    number = write_recall(postgres.owner_url)
    with psycopg.connect(postgres.owner_url) as owner:
        row = owner.execute(
            "INSERT INTO task (recall_number, key, step, what, role, state, opened_at, evidence_required) "
            "VALUES (%s, %s, 'x', 'do', 'medical', 'offered', now(), false) RETURNING id",
            [number, key],
        ).fetchone()
    assert row is not None
    url = f"/v1/tasks/{row[0]}/complete"
    assert (await api.post(url, {"outcome": "called, settled"}, Role.QA)).status_code == 403
    assert (await api.post(url, {"outcome": " "}, Role.MEDICAL)).status_code == 422
    answer = await api.post(url, {"outcome": "called, settled"}, Role.MEDICAL)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert (answer.json()["state"], answer.json()["done_by"]) == ("done", "Mei")
        assert answer.json()["outcome"] == "called, settled"
        assert (await api.post(url, {"outcome": "again"}, Role.MEDICAL)).status_code == 409


async def test_places_are_found_by_code_partner_gln_and_who_locks_them(
    api: Callers, postgres: PostgresForTests
) -> None:
    with psycopg.connect(postgres.owner_url) as owner:
        owner.execute("UPDATE location SET code = 'DOCK-1', quarantine_capacity = 12.5 WHERE id = 1002")
        owner.execute("UPDATE location SET gln = '4012345000009' WHERE custody = 'own' AND id <> 1002")
        owner.execute("UPDATE partner SET name = '100%_clinic' WHERE id = (SELECT max(id) FROM partner)")
    every = [item for page in await pages(api, "/v1/locations", limit=3) for item in page]
    ids = [item["id"] for item in every]
    assert ids == sorted(ids)
    assert [item["custody"] for item in every] == ["own", "own", "customer", "customer"]
    dock = next(item for item in every if item["code"] == "DOCK-1")
    assert (dock["id"], dock["partner_code"], dock["partner_kind"]) == (1002, "T1002", "warehouse")
    assert dock["quarantine_capacity"] == "12.5"
    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({"custody": "own"}, ids[:2]),
        ({"custody": "logistics"}, []),
        ({"q": "dock-"}, [1002]),
        ({"q": "4012345"}, [ids[0]]),
        ({"q": "100%_", "custody": "customer"}, [ids[3]]),
        ({"q": "%"}, [ids[3]]),
    ]
    for params, found in expected:
        items = (await api.get("/v1/locations", **params)).json()["items"]
        assert [item["id"] for item in items] == found, params
    assert (await api.get("/v1/locations", custody="ours")).status_code == 422
    cursor = (await api.get("/v1/locations", limit=1)).json()["next_cursor"]
    assert (await api.get("/v1/locations", limit=1, custody="own", cursor=cursor)).status_code == 400
    assert (await api.get("/v1/locations", role=None)).status_code == 401
