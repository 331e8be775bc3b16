"""Who may call the API, and which of their requests were already carried out."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import String
from sqlmodel import Column, Field, SQLModel

from models.base import identity, instant, text


class ApiToken(SQLModel, table=True):
    """A bearer token, stored as SHA-256 only, with the roles it gives to one named principal."""

    __tablename__ = "api_token"

    id: int | None = identity()
    principal: str = text(120)
    name: str = text(120)
    token_sha256: str = text(64, unique=True)
    roles: list[str] = Field(sa_column=Column(ARRAY(String(24)), nullable=False))
    created_at: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)


class IdempotencyKey(SQLModel, table=True):
    """One accepted POST of one principal: the same key gives the same answer, another body gives 422."""

    __tablename__ = "idempotency_key"

    principal: str = Field(sa_column=Column(String(120), primary_key=True))
    key: str = Field(sa_column=Column(String(120), primary_key=True))
    method_path: str = text(300)
    request_sha256: str = text(64)
    recall_number: str | None = text(14, nullable=True)
    file_number: str | None = text(14, nullable=True)
    """The file of quality reserved for an opening, as `recall_number` is for a start."""
    """The number reserved for a start, so that a repeat after a crash continues with the same recall."""
    status: int | None = None
    response: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    locked_at: datetime = instant()
    expires_at: datetime = instant()


__all__ = ["ApiToken", "IdempotencyKey"]
