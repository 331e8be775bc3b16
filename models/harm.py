"""A report of harm as the ways in hand it to the record; its text stays in Postgres."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from models.complaint import HarmSeverity

Description = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class HarmStated(BaseModel):
    """What a recipient or a colleague says of the harm; never with a patient's name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    severity: HarmSeverity = HarmSeverity.unknown
    patients: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    description: Description


class HarmReport(BaseModel):
    """One report under one recall, ready to be recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    number: str
    harm: HarmStated
    source: Literal["page", "sms", "phone", "email", "voice", "webhook", "file", "staff"]
    awareness_at: AwareDatetime
    """When the firm became aware: the first instant any of its people knew (21 CFR 803.3)."""
    at: AwareDatetime
    recorded_by: str
    role: str
    consignee_id: int | None = None
    reply_id: int | None = None
    lot_id: int | None = None
    product_line: str | None = None
    form_id: str | None = None


__all__ = ["Description", "HarmReport", "HarmStated"]
