"""The yardstick of `bench.answers`: a FastAPI app that reads a form and commits one row, and does nothing else.

Same server, same engine and pool as the product's API, so that the ratio shows what the product adds.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import text

from db.engine import make_engine, make_session_factory

TABLE = (
    "CREATE TABLE bare_answer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token text NOT NULL,"
    " fields jsonb NOT NULL, received_at timestamptz NOT NULL DEFAULT now())"
)
_INSERT = text("INSERT INTO bare_answer (token, fields) VALUES (:token, CAST(:fields AS jsonb)) RETURNING id")


def app() -> FastAPI:
    """One route: the form of a recipient becomes one committed row."""
    engine = make_engine(os.environ["DATABASE_URL"], application_name="bare")
    sessions = make_session_factory(engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    bare = FastAPI(lifespan=lifespan)

    @bare.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @bare.post("/r/{token}", response_class=HTMLResponse)
    async def submit(token: str, request: Request) -> HTMLResponse:
        fields = dict(parse_qsl((await request.body()).decode("utf-8"), keep_blank_values=True))
        async with sessions.begin() as session:
            row = await session.execute(_INSERT, {"token": token, "fields": json.dumps(fields)})
        return HTMLResponse(f"<p>Recorded as {row.scalar_one()}</p>")

    return bare


if __name__ == "__main__":
    uvicorn.run(
        app(),
        host="127.0.0.1",
        port=int(os.environ["RECALL_API_PORT"]),
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=15,
    )
