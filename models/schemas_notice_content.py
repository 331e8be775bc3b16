"""HTTP contracts of the content check of a notice: findings, reviews, corrected texts, previews, test messages."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from models.schemas_common import Block, In, Out
from models.schemas_recall import LanguageTag, RecallTexts

PassageId = Annotated[str, Field(pattern="^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
BodyKind = Annotated[str, Field(pattern="^[a-z_]{1,20}$", examples=["initial"])]
BodyChannel = Annotated[str, Field(pattern="^[a-z]{1,10}$", examples=["email"])]


class RefusedElementOut(Out):
    """One element that the notice lacks or breaks."""

    element: str = Field(examples=["hazard"])
    body: str = Field(examples=["initial/email.en"])
    """Kind, channel and language, or `texts.<language>` for what people wrote."""
    part: str = Field(examples=["html"])
    jurisdictions: list[str]
    source: str = Field(examples=["21 CFR 7.49(c)(1)(iii)"])
    text: str
    text_zh: str


class TextReviewOut(Out):
    """A named reviewer's word on a passage."""

    verdict: Literal["confirmed", "rejected"]
    note: str | None
    reviewer: str
    role: str
    reviewed_at: datetime


class PassageOut(Out):
    """A text that a named reviewer has to read."""

    id: str
    language: str
    field: str = Field(examples=["hazard"])
    text: str
    why: list[str]
    why_zh: list[str]
    review: TextReviewOut | None
    """The last word on it."""


class NoticeCheckOut(Out):
    """The content check of one draft, with the reviews so far."""

    notice_id: int
    sha256: str
    """The bodies checked."""
    covers: bool
    """Whether these are the notice's bodies now; false where no check of them is on record."""
    rules_sha256: str | None
    """The rules it was checked with."""
    checked_at: datetime | None
    releasable: bool
    """No element is refused, and every passage is confirmed."""
    refused: list[RefusedElementOut]
    passages: list[PassageOut]


class TextReviewIn(In):
    """What a reviewer says of flagged passages, having read them."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Hash of the notice that was read."""
    passages: Annotated[tuple[PassageId, ...], Field(min_length=1, max_length=100)]
    verdict: Literal["confirmed", "rejected"]
    note: Annotated[str | None, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)] = None

    @model_validator(mode="after")
    def _says_why(self) -> "TextReviewIn":
        if self.verdict == "rejected" and not self.note:
            raise ValueError("note: expected a reason for the rejection")
        if len(set(self.passages)) != len(self.passages):
            raise ValueError("passages: each one once")
        return self


class TextsIn(In):
    """Corrected reason and hazard, in the original's language and in others; the whole set replaces the old one."""

    reason: Block
    hazard: Block
    translations: Annotated[dict[LanguageTag, RecallTexts], Field(max_length=30)] = Field(default_factory=dict)
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    """Why they are corrected."""


class TextsOut(Out):
    """The texts in force."""

    number: str
    reason: str
    hazard: str
    texts_language: str
    translations: dict[str, RecallTexts]


class PreviewFileOut(Out):
    """One file of the message."""

    name: str = Field(examples=["recall-notice-RC-2026-000012.pdf"])
    content_type: str = Field(examples=["application/pdf"])
    size: int
    """Bytes."""
    sha256: str
    href: str
    """Where the file itself is read, for the same recipient."""


class PreviewOut(Out):
    """What one recipient would get."""

    kind: str
    channel: str
    language: str
    consignee_id: int
    recipient: str
    subject: str | None
    text: str
    html: str | None
    """Values are escaped; show it in a sandboxed frame. Its link answers for nobody; the code's picture is inlined."""
    sms_encoding: Literal["gsm-7", "ucs-2"] | None
    sms_segments: int | None
    """Segments of a text message."""
    open_values: list[str]
    """Values that are only known when it is sent, so that their sentences are not shown here."""
    files: list[PreviewFileOut]
    """What goes with an e-mail, or the document that a recipient's system gets; none on other channels."""


class TestSendIn(In):
    """Which body to send to oneself."""

    kind: BodyKind
    channel: Literal["email", "sms"]
    language: LanguageTag


class TestSendOut(Out):
    """The test message waits to be sent to the caller's own address."""

    id: int
    channel: str
    state: Literal["pending", "sent", "failed", "blocked"]


__all__ = [
    "BodyChannel",
    "BodyKind",
    "NoticeCheckOut",
    "PassageOut",
    "PreviewFileOut",
    "PreviewOut",
    "RefusedElementOut",
    "TestSendIn",
    "TestSendOut",
    "TextReviewIn",
    "TextReviewOut",
    "TextsIn",
    "TextsOut",
]
