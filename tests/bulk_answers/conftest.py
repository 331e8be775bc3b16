"""A recall in notification with two lots and three hospitals of one group, and the desk where files are taken."""

import csv
import io
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from api.app import create_app
from api.bulk_columns import COLUMNS
from db.engine import SessionFactory
from db.repositories import tokens
from domain.roles import Role
from tests.api.conftest import unreachable_client
from tests.campaign.world import NUMBER, Person, World, build
from tests.support.api import PEOPLE, Callers, calling, settings_for
from tests.support.servers import PostgresForTests

ALL_USED = {"on_hand": "0", "held": "0", "used": "10", "passed_on": "0"}
WHO = {"responder_name": "G. Ndege", "responder_role": "Group pharmacist"}


class Desk:
    """Whoever enters answers for consignees."""

    def __init__(self, callers: Callers, world: World) -> None:
        self.callers, self.world = callers, world
        self.url = f"/v1/recalls/{NUMBER}/answers/bulk"

    async def template(self, **asked: Any) -> list[dict[str, str]]:
        answer = await self.callers.get(f"{self.url}.csv", **asked)
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))

    async def send(
        self,
        content: bytes,
        form: Mapping[str, str] | None = None,
        *,
        preview: bool = False,
        role: Role = Role.QA,
        key: str | None = None,
    ) -> httpx.Response:
        headers = self.callers.headers(role, None if preview else key or secrets.token_hex(8))
        url = f"{self.url}/preview" if preview else self.url
        files = {"file": ("answers.csv", content, "text/csv")}
        return await self.callers.client.post(url, files=files, data=dict(form or {}), headers=headers)

    async def refused(self, content: bytes) -> dict[str, str]:
        """Pointer -> detail of a file that is not right; the preview says the same, and nothing is recorded."""
        before = self.replies()
        answer = await self.send(content)
        assert answer.status_code == 422, answer.text
        found = {each["pointer"]: each["detail"] for each in answer.json()["errors"]}
        asked = await self.send(content, preview=True)
        assert (asked.status_code, asked.json()["errors"]) == (422, answer.json()["errors"])
        assert self.replies() == before
        assert self.world.one("SELECT count(*) FROM evidence") == 0
        return found

    def replies(self) -> list[dict[str, Any]]:
        return self.world.rows("SELECT * FROM reply ORDER BY id")

    def state(self, consignee: int) -> str:
        return str(self.world.one("SELECT state FROM consignee WHERE id = %s", consignee))


def table(*rows: dict[str, str], separator: str = ",", encoding: str = "utf-8") -> bytes:
    """A file with these rows, and as many of the columns as they fill in."""
    asked = {"consignee", "lot", "on_hand", "held", "used", "passed_on"}
    columns = [name for name in COLUMNS if name in asked or any(name in row for row in rows)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def rows_of(code: str, *lots: str, **figures: str) -> list[dict[str, str]]:
    """The same figures for each lot of a consignee."""
    return [{"consignee": f"P-{code}", "lot": lot} | ALL_USED | WHO | figures for lot in lots]


@pytest.fixture
def world(db: SessionFactory, clean_db: PostgresForTests) -> World:
    """Mercy and Hope have both lots, ten units each; Grace has the first only."""
    world = build(clean_db.admin_url)
    for name, lots in (("Mercy", ("10", "10")), ("Hope", ("10", "10")), ("Grace", ("10",))):
        world.consignee(name, Person(email=f"{name}@{name}.example".lower()), lots=lots)
    world.run("UPDATE partner SET group_name = 'Amani Group'")
    return world


@pytest.fixture
def sites(world: World) -> dict[str, int]:
    """Name of each hospital -> its consignee."""
    found = world.rows("SELECT c.id, p.name FROM consignee c JOIN partner p ON p.id = c.partner_id ORDER BY c.id")
    return {row["name"]: row["id"] for row in found}


@pytest_asyncio.fixture(scope="session")
async def application(postgres: PostgresForTests, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """One application for all these tests, without Temporal: a file must not need it."""
    settings = settings_for(postgres.app_url, tmp_path_factory.mktemp("answers"))
    return create_app(settings, temporal_client=await unreachable_client(), background=False)


@pytest_asyncio.fixture
async def desk(world: World, db: SessionFactory, application: FastAPI) -> AsyncIterator[Desk]:
    """The API with a token for each role that comes to it; nothing here is signed, so nobody has a password."""
    made = {}
    async with db.begin() as session:
        for role in (Role.QA, Role.ACCOUNT_MANAGER, Role.REGULATORY, Role.APPROVER, Role.AUDITOR, Role.WAREHOUSE):
            _, made[role] = await tokens.create(
                session, principal=PEOPLE[role], name="test", roles=[role], actor="tests", now=datetime.now(UTC)
            )
    async with calling(application) as client:
        yield Desk(Callers(client, made), world)
