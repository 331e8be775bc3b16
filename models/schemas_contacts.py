"""HTTP contracts of a consignee's contacts: who has left, whose address is good, whom to write to from now on."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from models.master import ContactStatus, Party
from models.schemas_common import In, Line, Out, Reason


class ContactOut(Out):
    """Somebody at the consignee, in the order in which they are tried."""

    id: int
    position: int
    name: str
    role: str
    party: Party
    email: str | None
    phone: str | None
    channels: list[str]
    status: ContactStatus
    sms_opted_out_at: datetime | None
    voice_opted_out_at: datetime | None


class ContactsOut(Out):
    """All contacts of a consignee, those that have left as well."""

    items: list[ContactOut]


class ContactIn(In):
    """Somebody to write to from now on, as heard from the consignee."""

    name: Line = Field(examples=["Ms Ann Other"])
    role: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")
    ] = Field(examples=["head of stores"])
    email: Annotated[str, StringConstraints(max_length=320, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    """E.164."""
    channels: list[Literal["email", "sms", "voice"]] = Field(default=[], max_length=3)
    """In the order of preference; left out: e-mail where there is an address, text messages where there is a number."""
    reason: Reason | None = Field(default=None, examples=["Named by the ward when it was telephoned"])

    @model_validator(mode="after")
    def _is_reachable(self) -> "ContactIn":
        if self.email is None and self.phone is None:
            raise ValueError("email: expected an e-mail address or a telephone number")
        if "email" in self.channels and self.email is None:
            raise ValueError("channels: expected none that has no address; email needs an e-mail address")
        if {"sms", "voice"} & set(self.channels) and self.phone is None:
            raise ValueError("channels: expected none that has no address; sms and voice need a telephone number")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("channels: expected each channel once")
        return self

    def wished(self) -> list[str]:
        """The channels to use, in order."""
        usual = [name for name, value in (("email", self.email), ("sms", self.phone)) if value is not None]
        return list(self.channels) or usual


class ContactStatusIn(In):
    """What was heard of a contact."""

    status: Literal["verified", "left"]
    """verified: reached there, or the address was confirmed; left: speaks for this consignee no more."""
    reason: Reason = Field(examples=["The ward says that she left in May"])


__all__ = ["ContactIn", "ContactOut", "ContactStatusIn", "ContactsOut"]
