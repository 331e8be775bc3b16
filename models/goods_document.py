"""Goods documents: orders, picks, shipments, announced receipts and returns, and who stopped them.

Not to be mixed up with documents of authorities (`submission`): these move goods.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from domain.inventory import DocumentKind, DocumentState
from models.base import identity, instant, one_of, quantity, ref, text


class GoodsDocument(SQLModel, table=True):
    """A document of our own ledger that can move, reserve or bring goods. Its blocks are rows of their own."""

    __tablename__ = "goods_document"
    __table_args__ = (
        UniqueConstraint("source_system", "kind", "number"),
        one_of("kind", DocumentKind),
        one_of("state", DocumentState),
        CheckConstraint("from_location_id IS NOT NULL OR to_location_id IS NOT NULL", name="somewhere"),
        Index("ix_goods_document_number", "number"),
        Index("ix_goods_document_batch", "batch_id"),
    )

    id: int | None = identity()
    source_system: str = text(60)
    kind: str = text(10)
    number: str = text(80)
    state: str = text(10)
    """What its source says, or `cancelled` by a recall. Blocks and movements say the rest."""
    from_location_id: int | None = ref("location.id", nullable=True)
    to_location_id: int | None = ref("location.id", nullable=True)
    partner_id: int | None = ref("partner.id", nullable=True)
    """Who ordered or delivers, where the source names it."""
    carrier_id: int | None = ref("partner.id", nullable=True)
    """Logistics provider that moves the goods."""
    requested_at: datetime | None = instant(nullable=True)
    expected_at: datetime | None = instant(nullable=True)
    batch_id: int | None = ref("import_batch.id", nullable=True)


class GoodsDocumentLine(SQLModel, table=True):
    """Units of use of one product on a document, of one lot or of a lot that is allocated later."""

    __tablename__ = "goods_document_line"
    __table_args__ = (
        UniqueConstraint("source_system", "source_id"),
        CheckConstraint("quantity > 0", name="positive"),
        Index("ix_goods_document_line_document", "document_id"),
        Index("ix_goods_document_line_lot", "lot_id"),
        Index("ix_goods_document_line_no_lot", "product_id", postgresql_where=sql("lot_id IS NULL")),
        Index("ix_goods_document_line_batch", "batch_id"),
    )

    id: int | None = identity()
    document_id: int = ref("goods_document.id")
    product_id: int = ref("product.id")
    lot_id: int | None = ref("lot.id", nullable=True)
    quantity: Decimal = quantity()
    source_system: str = text(60)
    source_id: str = text(120)
    batch_id: int | None = ref("import_batch.id", nullable=True)


class GoodsDocumentBefore(SQLModel, table=True):
    """A document (`line_id` empty) or line as it was before a later batch changed it, so that the batch can go back."""

    __tablename__ = "goods_document_before"
    __table_args__ = (
        UniqueConstraint("batch_id", "document_id", "line_id", postgresql_nulls_not_distinct=True),
        Index("ix_goods_document_before_prior", "prior_batch_id"),
    )

    id: int | None = identity()
    batch_id: int = ref("import_batch.id")
    document_id: int = ref("goods_document.id")
    line_id: int | None = ref("goods_document_line.id", nullable=True)
    prior_batch_id: int | None = ref("import_batch.id", nullable=True)
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class GoodsDocumentBlock(SQLModel, table=True):
    """A recall's stop of a document in our own ledger, by key: two recalls have two, it moves when both are gone."""

    __tablename__ = "goods_document_block"
    __table_args__ = (
        Index("ix_goods_document_block_open", "document_id", postgresql_where=sql("ended_at IS NULL")),
        Index("ix_goods_document_block_claimant", "claimant"),
    )

    key: str = Field(sa_column=Column(String(200), primary_key=True))
    claimant: str = text(40)
    document_id: int = ref("goods_document.id")
    placed_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    cancelled: bool = Field(default=False, nullable=False)
    """The document was ended for good under this key."""


class LedgerChange(SQLModel, table=True):
    """The ledger's feed: something about a lot changed. One row may stand for a whole import batch."""

    __tablename__ = "ledger_change"
    __table_args__ = (Index("ix_ledger_change_order", "xid", "id"),)

    id: int | None = identity()
    xid: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Transaction that wrote it; readers stop before the oldest one still running, so none is passed over."""
    lot_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    """No foreign key, nor the place: what a batch brought may be taken back, and that is a change as well."""
    location_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    what: str = text(10)
    batch_id: int | None = ref("import_batch.id", nullable=True)


__all__ = ["GoodsDocument", "GoodsDocumentBefore", "GoodsDocumentBlock", "GoodsDocumentLine", "LedgerChange"]
