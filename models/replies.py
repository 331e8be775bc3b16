"""What a recipient answers, as the ways in (page, SMS, telephone, file of a group) hand it to the record.

Quantities are units of use. Every lot that is stated is stated in full: zero is an answer, missing is not.
"""

from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from domain.replies import Finding, Quantity
from models.harm import HarmStated

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class StatedLot(_Fact):
    """One lot as the recipient states it; `held` is the part of `on_hand` that was set aside."""

    lot_id: int
    on_hand: Quantity
    used: Quantity
    held: Quantity
    passed_on: Quantity
    returned: Quantity | None = None
    """Sent back to us or the supplier, as stated; None where nobody asked or nothing was said."""
    destroyed: Quantity | None = None
    """Destroyed on site, as stated."""


class PatientsStated(_Fact):
    """A hospital's counts of its patients, given with the answer; never a person (design §2a)."""

    exposed: Annotated[int, Field(ge=0, le=1_000_000)]
    contacted: Annotated[int, Field(ge=0, le=1_000_000)]
    monitored: Annotated[int, Field(ge=0, le=1_000_000)]
    replaced: Annotated[int, Field(ge=0, le=1_000_000)]
    final: bool = False
    """Nothing more is to be expected."""

    @model_validator(mode="after")
    def _no_more_than_exposed(self) -> "PatientsStated":
        if max(self.contacted, self.monitored, self.replaced) > self.exposed:
            raise ValueError("contacted, monitored, replaced: expected at most the exposed ones")
        return self


class PassedOnLot(_Fact):
    """How much of a lot went on."""

    lot_id: int
    quantity: Annotated[Decimal, Field(gt=0, allow_inf_nan=False, max_digits=18, decimal_places=6)]


class PassedOnTo(_Fact):
    """A site that received affected product from the recipient; it joins the campaign (sub-recall, 21 CFR 7.49(d)).

    Without e-mail and telephone nothing can be sent: a person gets the task to find it.
    """

    name: Line
    kind: Literal["distributor", "hospital"]
    contact_name: Line | None = None
    email: Annotated[str, StringConstraints(max_length=320, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    """E.164."""
    lots: tuple[PassedOnLot, ...] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _each_lot_once(self) -> "PassedOnTo":
        if len({each.lot_id for each in self.lots}) != len(self.lots):
            raise ValueError("lots: each lot once per recipient")
        return self


class _Answer(_Fact):
    recall_number: str
    consignee_id: int
    at: AwareDatetime
    delivery_id: UUID | None = None
    affected: bool | None = None
    statements: tuple[StatedLot, ...] = ()
    """Empty: the notice is acknowledged, quantities follow."""
    passed_on: tuple[PassedOnTo, ...] = Field(default=(), max_length=200)
    responder_name: Line | None = None
    responder_role: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] | None = None
    free_text: Annotated[str, StringConstraints(max_length=2000)] | None = None
    harm: HarmStated | None = None
    """Harm reported with the answer; a remark that speaks of harm is taken as a report as well."""


class PageReply(_Answer):
    """Submitted on the signed-link page."""

    form_id: Annotated[str, StringConstraints(min_length=8, max_length=64)]
    """One-time id of the form: submitting it twice changes nothing."""
    patients: PatientsStated | None = None
    """Counted by hospitals only; others' counts are refused."""
    contact_id: int | None = None
    """Whose link it was: a statement ends the draft kept for that link, and takes over the files uploaded with it."""
    of_message: bool = False
    """Receipt of the message that led here, given where nothing of the notice is shown."""


class WebhookReply(_Answer):
    """Signed by a system of the recipient."""

    form_id: Annotated[str, StringConstraints(min_length=8, max_length=64)]
    """Of the message's own id: the same message twice changes nothing."""
    needs_contact: bool = False
    """It says that the recipient will not do it, or only that somebody was harmed: a person calls."""


class PhoneReply(_Answer):
    """Given on the telephone and typed in by staff."""

    entered_by: Line
    form_id: Annotated[str, StringConstraints(min_length=8, max_length=64)] | None = None


class FileReply(_Answer):
    """One consignee's rows of a file that its distributor or hospital group filled in, entered by staff."""

    entered_by: Line
    form_id: Annotated[str, StringConstraints(min_length=8, max_length=64)]
    """Of the file's content: the same file again changes nothing."""
    file_id: UUID
    """The file as it came, in evidence."""
    patients: PatientsStated | None = None
    """Counted by hospitals only; others' counts are refused."""


class SmsReply(_Fact):
    """One inbound SMS, already read by `domain.sms_replies`, one key pressed in our call (`domain.voice`), or one
    mail that answers a notice (`domain.mail_answers`)."""

    channel: Literal["sms", "voice", "email"] = "sms"
    recall_number: str
    consignee_id: int
    contact_id: int
    at: AwareDatetime
    provider: str
    provider_id: str
    body: str
    acknowledges: bool
    """Whether it says that the notice arrived; otherwise a person calls back and the chase goes on."""
    affected: bool | None = None
    delivery_id: UUID | None = None
    harm: bool = False
    """Whether it speaks of harm: a complaint, whatever else it says."""
    aware_at: AwareDatetime | None = None
    """When it reached us, where that was before it was read: clocks of harm start then."""
    more: bool = False
    """Whether it says something beside the answer that a person has to read."""


class RecordedReply(_Fact):
    """What recording a reply changed."""

    reply_id: int
    repeated: bool = False
    """The form or message was known already; nothing changed."""
    consignee_state: str
    findings: tuple[Finding, ...] = ()
    new_consignees: tuple[int, ...] = ()
    """Consignees that joined (or have to answer again) because product was passed on to them."""
    campaign_sequence: int | None = None
    """The open campaign to nudge."""
    nudge_due: bool = False
    case_moved: bool = False
    """A case of the consignee was closed: its workflow is nudged."""
    complaint: int | None = None
    """Number of the complaint the reply made: the recall is nudged."""


__all__ = [
    "FileReply",
    "PageReply",
    "PassedOnLot",
    "PassedOnTo",
    "PatientsStated",
    "PhoneReply",
    "RecordedReply",
    "SmsReply",
    "StatedLot",
    "WebhookReply",
]
