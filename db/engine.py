"""Async engine and session factory of one process.

Every table is imported here: a foreign key finds its target only when both are known, whatever a process uses itself.
"""

from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from models import tables  # noqa: F401


class ReadingSession(AsyncSession):
    """A session that only reads and ends with COMMIT.

    After a ROLLBACK psycopg gives up every statement it has prepared on the connection, and PostgreSQL plans each query
    anew, which takes longer than most of ours. There is nothing to take back: the transaction is read-only.
    """

    async def close(self) -> None:
        """End the transaction and give the connection back.

        Where the connection is lost, what was read stays read, and what failed has said so itself: by an error that
        those who wait for the database know.
        """
        try:
            if self.is_active and self.in_transaction():
                with suppress(OperationalError, InterfaceError, PendingRollbackError):
                    await self.commit()
        finally:
            await super().close()


class SessionFactory:
    """Sessions of one process: `sessions()` reads, `sessions.begin()` writes and commits at its end."""

    def __init__(self, engine: AsyncEngine) -> None:
        reading = engine.execution_options(postgresql_readonly=True)
        self._reading = async_sessionmaker(reading, class_=ReadingSession, expire_on_commit=False)
        self._writing = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)

    def __call__(self) -> AsyncSession:
        """A session whose statements PostgreSQL refuses to let write."""
        return self._reading()

    def begin(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A session in a transaction, committed unless an exception leaves it."""
        return self._writing.begin()


def async_url(url: str) -> str:
    """`postgresql://...` (libpq's spelling) as SQLAlchemy's async psycopg URL."""
    for prefix in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url[len(prefix) :]
    raise ValueError("DATABASE_URL must start with postgresql://")


_KEEPALIVE: Final = {"idle": 60, "interval": 15, "count": 4}
"""Seconds of silence before the other end is asked whether it is there, seconds between questions, and how many."""
_GONE_MS: Final = 120_000
"""After so long without a sign from the other end, what was sent to it counts as lost."""


def make_engine(
    url: str,
    *,
    application_name: str,
    pool_size: int = 10,
    statement_timeout_ms: int = 60_000,
    idle_transaction_ms: int = 600_000,
) -> AsyncEngine:
    """Engine over psycopg 3; `pool_pre_ping` lets a process live through a database restart.

    Errors quote neither their parameters nor the row that was refused: their text reaches logs and, from activities,
    Temporal's history.

    A machine that vanishes says no goodbye. Without limits a worker's would leave its rows locked, and a database's its
    clients waiting, for as long as the operating system's keepalive takes: two hours. A process that stands still in a
    transaction (frozen, suspended with its machine) loses it after `idle_transaction_ms`.
    """
    asked = {f"keepalives_{name}": value for name, value in _KEEPALIVE.items()}
    limits = {
        "statement_timeout": statement_timeout_ms,
        "idle_in_transaction_session_timeout": idle_transaction_ms,
        **{f"tcp_{name}": value for name, value in asked.items()},
        "tcp_user_timeout": _GONE_MS,
        "timezone": "UTC",
    }
    engine = create_async_engine(
        async_url(url),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_recycle=1800,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            **asked,
            "tcp_user_timeout": _GONE_MS,
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        },
    )
    event.listen(engine.sync_engine, "handle_error", _tell_no_values)
    event.listen(engine.sync_engine, "handle_error", _tell_as_lost)
    return engine


def _tell_no_values(context: ExceptionContext) -> None:
    """Leave of PostgreSQL's words the first sentence: its DETAIL is the whole row, with names and addresses."""
    refused, told = context.original_exception, context.sqlalchemy_exception
    if not isinstance(refused, psycopg.Error) or refused.diag.message_primary is None:
        return
    before = str(refused)
    refused.args = (refused.diag.message_primary,)
    if told is not None:
        told.args = tuple(text.replace(before, str(refused)) if isinstance(text, str) else text for text in told.args)


def _tell_as_lost(context: ExceptionContext) -> None:
    """A transaction that PostgreSQL ended because it stood still is a lost connection: who waits for one tries again.

    Raises:
        OperationalError: so it was; psycopg has it among the errors that are a fault of the caller.
    """
    ended = context.original_exception
    if isinstance(ended, psycopg.errors.IdleInTransactionSessionTimeout):
        raise OperationalError(context.statement, None, ended, hide_parameters=True) from ended


def make_session_factory(engine: AsyncEngine) -> SessionFactory:
    """Sessions that keep their objects readable after commit."""
    return SessionFactory(engine)
