"""Two requests that meet in the database: one is told to repeat, not that the database is away."""

from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import Response

from api.app import create_app
from tests.support.api import calling, settings_for

pytestmark = pytest.mark.db


async def test_a_deadlock_is_answered_by_repeat(tmp_path: Path) -> None:
    app = create_app(settings_for("postgresql://nobody@127.0.0.1:1/none", tmp_path), background=False)

    async def clash(_: Request) -> Response:
        raise OperationalError("UPDATE", {}, psycopg.errors.DeadlockDetected("deadlock detected"))

    async def away(_: Request) -> Response:
        raise OperationalError("SELECT", {}, psycopg.OperationalError("connection refused"))

    app.add_route("/clash", clash)
    app.add_route("/away", away)
    async with calling(app) as client:
        met, gone = await client.get("/clash"), await client.get("/away")
    assert (met.status_code, met.json()["type"]) == (503, "urn:recall:problem:database-busy")
    assert met.headers["Retry-After"] == "1"
    assert (gone.status_code, gone.json()["type"]) == (503, "urn:recall:problem:database-unavailable")
