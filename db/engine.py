"""Async engine and session factory of one process.

Every table is imported here: a foreign key finds its target only when both are known, whatever a process uses itself.
"""

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from models import tables  # noqa: F401

SessionFactory = async_sessionmaker[AsyncSession]


def async_url(url: str) -> str:
    """`postgresql://...` (libpq's spelling) as SQLAlchemy's async psycopg URL."""
    for prefix in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url[len(prefix) :]
    raise ValueError("DATABASE_URL must start with postgresql://")


def make_engine(
    url: str, *, application_name: str, pool_size: int = 10, statement_timeout_ms: int = 60_000
) -> AsyncEngine:
    """Engine over psycopg 3; `pool_pre_ping` lets a process live through a database restart.

    Errors do not quote their parameters: their text reaches logs and, from activities, Temporal's history.
    """
    return create_async_engine(
        async_url(url),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_recycle=1800,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            "options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC",
        },
    )


def make_session_factory(engine: AsyncEngine) -> SessionFactory:
    """Sessions that keep their objects readable after commit."""
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
