"""Files of quality that are no recall: nonconformities with their lots and decisions, and what ties them to recalls.

A file has a number of its own, under which tasks, messages, evidence and the audit chain know it. It outlives every
recall it is linked with.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import CheckConstraint, Column, Index, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from domain.nonconformity import NcDisposition, NcSeverity, NcSource, NcState
from domain.quality_numbers import QualityKind
from models.base import identity, instant, one_of, quantity, ref, text


class QualityFile(SQLModel, table=True):
    """What every file of quality is to tasks, messages and evidence."""

    __tablename__ = "quality_file"
    __table_args__ = (
        one_of("kind", QualityKind),
        CheckConstraint(r"number ~ '^(NC|CA|SC)-[0-9]{4}-[0-9]{6}$'", name="number_format"),
        CheckConstraint("pace >= 1", name="pace_at_least_real_time"),
    )

    number: str = Field(sa_column=Column(String(14), primary_key=True))
    kind: str = text(2)
    title: str = text(200)
    drill: bool = Field(default=False, nullable=False)
    """It comes from a drill: nobody outside is ever written to."""
    pace: float = Field(default=1.0, nullable=False)
    started_by: str = text(120)
    created_at: datetime = instant()
    closed_at: datetime | None = instant(nullable=True)


class LinkKind(StrEnum):
    """Why a nonconformity and a recall belong together."""

    hold = "hold"
    """The recall's claims that ended without a release."""
    led_to = "led_to"
    """The recall was started from it."""
    related = "related"


class Nonconformity(SQLModel, table=True):
    """Product, or a process, that does not meet its requirements (21 CFR 820.90; ISO 13485 8.3)."""

    __tablename__ = "nonconformity"
    __table_args__ = (
        one_of("source", NcSource),
        one_of("severity", NcSeverity),
        one_of("state", NcState),
        CheckConstraint("detected_at <= recorded_at + interval '5 minutes'", name="not_detected_in_future"),
        Index("ix_nonconformity_state", "state", "number"),
    )

    number: str = Field(foreign_key="quality_file.number", primary_key=True)
    source: str = text(20)
    reference: str | None = text(200, nullable=True)
    """Number of the report, complaint or audit it comes from."""
    severity: str = text(8)
    state: str = text(12)
    description: str = text(4000)
    product_id: int | None = ref("product.id", nullable=True)
    site_id: int | None = ref("location.id", nullable=True)
    """Where it was found."""
    supplier_id: int | None = ref("partner.id", nullable=True)
    """Whose material or service it is, where a supplier's."""
    detected_at: datetime = instant()
    """When the firm became aware; a recall started from it takes its awareness from here."""
    detected_by: str = text(120)
    recorded_by: str = text(120)
    recorded_at: datetime = instant()
    containment: str | None = text(2000, nullable=True)
    """What was done at once: segregated, marked, stopped."""
    investigation: str | None = text(8000, nullable=True)
    investigated_by: str | None = text(120, nullable=True)
    investigated_at: datetime | None = instant(nullable=True)
    conclusion: str | None = text(4000, nullable=True)
    closed_by: str | None = text(120, nullable=True)
    closed_at: datetime | None = instant(nullable=True)
    closing_signature_id: str | None = text(64, nullable=True)
    reopened: int = Field(default=0, nullable=False)


class NonconformityLot(SQLModel, table=True):
    """One lot concerned, and what was decided about its units."""

    __tablename__ = "nonconformity_lot"
    __table_args__ = (
        UniqueConstraint("nonconformity_number", "lot_id"),
        one_of("disposition", NcDisposition),
        CheckConstraint("quantity IS NULL OR quantity >= 0", name="quantity_not_negative"),
        CheckConstraint(
            "(disposition IS NULL) = (decided_by IS NULL) AND (disposition IS NULL) = (justification IS NULL)",
            name="decided_whole",
        ),
        Index("ix_nonconformity_lot_lot", "lot_id"),
    )

    id: int | None = identity()
    nonconformity_number: str = Field(foreign_key="nonconformity.number", nullable=False)
    lot_id: int = ref("lot.id")
    quantity: Decimal | None = quantity(nullable=True)
    """Units of use concerned; empty: the whole lot."""
    disposition: str | None = text(12, nullable=True)
    justification: str | None = text(4000, nullable=True)
    decided_by: str | None = text(120, nullable=True)
    decided_at: datetime | None = instant(nullable=True)
    decision_signature_id: str | None = text(64, nullable=True)
    second_by: str | None = text(120, nullable=True)
    """Head of quality, where product that does not conform is used."""
    second_at: datetime | None = instant(nullable=True)
    second_signature_id: str | None = text(64, nullable=True)
    taken_back_at: datetime | None = instant(nullable=True)
    """The recall took the lot into its scope again; it decides."""


class NonconformityLink(SQLModel, table=True):
    """A nonconformity and a recall that belong together; the recall's file holds the nonconformity."""

    __tablename__ = "nonconformity_link"
    __table_args__ = (
        UniqueConstraint("nonconformity_number", "recall_number"),
        one_of("kind", LinkKind),
        Index("ix_nonconformity_link_recall", "recall_number"),
    )

    id: int | None = identity()
    nonconformity_number: str = Field(foreign_key="nonconformity.number", nullable=False)
    recall_number: str = Field(foreign_key="recall.number", nullable=False)
    kind: str = text(8)
    reason: str | None = text(2000, nullable=True)
    linked_by: str = text(120)
    linked_at: datetime = instant()


class CodeList(SQLModel, table=True):
    """One loaded version of a coding system; a newer one takes its place from its first day."""

    __tablename__ = "code_list"
    __table_args__ = (UniqueConstraint("sha256"), UniqueConstraint("valid_from"))

    id: int | None = identity()
    version: str = text(60)
    valid_from: datetime = instant()
    file_name: str = text(200)
    sha256: str = text(64)
    loaded_by: str = text(120)
    loaded_at: datetime = instant()
    terms: int = Field(nullable=False)


class CodeTerm(SQLModel, table=True):
    """One term of IMDRF's annexes A-G as it stands after the newest list; retired ones stay for what cites them."""

    __tablename__ = "code_term"
    __table_args__ = (
        CheckConstraint("annex IN ('A','B','C','D','E','F','G')", name="annex_known"),
        Index("ix_code_term_annex", "annex", "code"),
        Index("ix_code_term_open", "code", postgresql_where=sql("retired_at IS NULL")),
    )

    code: str = Field(sa_column=Column(String(12), primary_key=True))
    """`A010101`: annex and two or more digits per level."""
    annex: str = text(1)
    parent: str | None = text(12, nullable=True)
    """The code one level up, where the list has it."""
    term: str = text(300)
    definition: str | None = text(4000, nullable=True)
    fda_code: str | None = text(12, nullable=True)
    first_list_id: int = ref("code_list.id")
    last_list_id: int = ref("code_list.id")
    """The newest list that has it."""
    retired_at: datetime | None = instant(nullable=True)
    """First day of the list that has it no more."""


class RecordCode(SQLModel, table=True):
    """A code that a record carries; which list it was checked against is kept."""

    __tablename__ = "record_code"
    __table_args__ = (
        CheckConstraint("num_nonnulls(nonconformity_number, complaint_id, capa_id) = 1", name="of_one_record"),
        UniqueConstraint(
            "nonconformity_number",
            "complaint_id",
            "capa_id",
            "code",
            postgresql_nulls_not_distinct=True,
            name="uq_record_code",
        ),
        Index("ix_record_code_code", "code"),
    )

    id: int | None = identity()
    nonconformity_number: str | None = Field(default=None, foreign_key="nonconformity.number")
    complaint_id: int | None = ref("complaint.id", nullable=True)
    capa_id: int | None = ref("capa.id", nullable=True)
    code: str = Field(foreign_key="code_term.code", nullable=False)
    list_id: int = ref("code_list.id")
    coded_by: str = text(120)
    coded_at: datetime = instant()
    removed_at: datetime | None = instant(nullable=True)
    """The record carries it no more."""


__all__ = [
    "CodeList",
    "CodeTerm",
    "LinkKind",
    "Nonconformity",
    "NonconformityLink",
    "NonconformityLot",
    "QualityFile",
    "RecordCode",
]
