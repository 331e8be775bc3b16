"""Alembic's environment: the owner's URL comes from `db.migrate` or from `DATABASE_OWNER_URL`."""

import os

from alembic import context
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

import models.tables  # noqa: F401 - registers every table with the metadata
from db.engine import async_url

_MIGRATION_LOCK = 0x5243_4C4D  # "RCLM": one migrating process at a time


def _url() -> str:
    url = context.config.attributes.get("url") or os.environ.get("DATABASE_OWNER_URL") or os.environ.get("DATABASE_URL")
    if not url:
        raise SystemExit("set DATABASE_OWNER_URL (or DATABASE_URL) to migrate")
    return async_url(url)


def run() -> None:
    """Run all migrations in one transaction, so a failed one leaves nothing behind."""
    engine = create_engine(_url(), connect_args={"options": "-c timezone=UTC", "connect_timeout": 10})
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_server_default=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


if context.is_offline_mode():
    raise SystemExit("offline migrations are not supported: they could not check the database's state")
run()
