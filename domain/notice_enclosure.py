"""What the files that go with a notice are made of: kept in the approved body, so that its hash covers them.

The letter is a finished PDF. The rest is data that each recipient's own values are added to when the message is sent:
the facts for machines, and the words of the recipient's sheet and list in the notice's language.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.channels import Channel
from domain.notice_content import NoticeKind
from domain.notice_kinds import LETTER_KINDS
from domain.notice_machine import MachineFacts


class EnclosureError(ValueError):
    """An enclosure that is malformed; the text names the field."""


def carries_files(kind: NoticeKind, channel: str) -> bool:
    """Whether a message goes out with PDF, list and data: every e-mail of a notice; a letter is whole by itself."""
    return channel == Channel.EMAIL and kind not in LETTER_KINDS


def carries_facts(kind: NoticeKind, channel: str) -> bool:
    """Whether a message goes out as data; for another system the data are the message, whatever the kind."""
    return channel == Channel.WEBHOOK or carries_files(kind, channel)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SheetWords(_Frozen):
    """The words of a recipient's own sheet and list in one language (`templates/notices/_base/sheet.<lang>.yaml`)."""

    file_notice: str = Field(pattern=r"^[a-z0-9-]{3,40}$")
    """Name of the PDF before the recall number; ASCII, because it goes through every mail server."""
    file_lots: str = Field(pattern=r"^[a-z0-9-]{3,40}$")
    title: str = Field(min_length=1)
    recall: str = Field(min_length=1)
    recipient: str = Field(min_length=1)
    respond_by: str = Field(min_length=1)
    distributor: str = Field(min_length=1)
    scan: str = Field(min_length=1)
    more: str = Field(min_length=1)
    product: str = Field(min_length=1)
    gtin: str = Field(min_length=1)
    udi_di: str = Field(min_length=1)
    lot: str = Field(min_length=1)
    serials: str = Field(min_length=1)
    expires_on: str = Field(min_length=1)
    quantity: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    shipped_on: str = Field(min_length=1)
    site: str = Field(default="Site", min_length=1)
    sites: str = Field(default="Sites", min_length=1)
    """Where one person gets the notice for several sites."""


class StoredLetter(_Frozen):
    """The approved PDF and where a sheet is attached to it."""

    content: str
    """Base64."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    anchor: dict[str, Any]
    """`documents.notice_pdf.Anchor`."""

    @classmethod
    def of(cls, content: bytes, anchor: Mapping[str, Any]) -> "StoredLetter":
        """The letter as it is stored."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(content=base64.b64encode(content).decode("ascii"), sha256=digest, anchor=dict(anchor))

    def read(self) -> bytes:
        """The PDF.

        Raises:
            EnclosureError: the content is not the one that the hash names.
        """
        content = base64.b64decode(self.content)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise EnclosureError("letter.content: not the file that was approved")
        return content


class Enclosed(_Frozen):
    """Everything a body's files are made of; no letter and no words where the channel carries no files."""

    facts: MachineFacts
    words: SheetWords | None = None
    letter: StoredLetter | None = None
    letter_of: NoticeKind | None = None
    """Kind of the body of this language whose letter goes along: a reminder carries the notice it reminds of."""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Enclosed":
        """Read it back.

        Raises:
            EnclosureError: fields are missing or wrong.
        """
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            first = error.errors()[0]
            raise EnclosureError(f"enclosed.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def as_json(self) -> dict[str, Any]:
        """The JSON that `from_json` reads."""
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class FileName:
    """Names of the files of one notice; ASCII whatever the language."""

    words: SheetWords
    recall_no: str

    @property
    def notice(self) -> str:
        """The PDF."""
        return f"{self.words.file_notice}-{self.recall_no}.pdf"

    @property
    def lots(self) -> str:
        """The list for a spreadsheet."""
        return f"{self.words.file_lots}-{self.recall_no}.csv"


MACHINE_FILE = "notice.json"
"""The notice for machines has one name in every language, so that a machine finds it."""


__all__ = [
    "MACHINE_FILE",
    "Enclosed",
    "EnclosureError",
    "FileName",
    "SheetWords",
    "StoredLetter",
    "carries_facts",
    "carries_files",
]
