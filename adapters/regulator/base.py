"""The regulator boundary: one Protocol for handing a frozen document to an authority and asking for its receipt.

Handing over the same parcel again never delivers it twice; what cannot work is classified, so that a person is asked
where repeating does not help. A drill has no way through here (design promise 10).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class FailureKind(StrEnum):
    """transient: repeat later; permanent: a person has to change something; drill: never."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    DRILL = "drill"


class HandOverFailed(Exception):  # noqa: N818 - what happened, in the words of the submission's events
    """The transport did not take the parcel, or could not be asked; one line, no secret."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class ParcelFile:
    """One file of a submission."""

    name: str
    media_type: str
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """One frozen submission as it leaves the house."""

    key: str
    """Unique for the submission; letters, digits, `.`, `_`, `-`."""
    recall: str
    jurisdiction: str
    recipient: str | None
    obligation: str
    kind: str
    model_version: str | None
    version: int
    corrects: str | None
    """Key of the version before."""
    sha256: str
    submitted_at: datetime
    drill: bool
    files: tuple[ParcelFile, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receiver's word: accepted with its reference, or refused with its reason."""

    accepted: bool
    reference: str
    received_at: datetime
    reason: str | None = None


class RegulatorTransport(Protocol):
    """A way to an authority."""

    async def hand_over(self, parcel: Parcel) -> None:
        """Give the parcel to the receiver; the same parcel again changes nothing.

        Raises:
            HandOverFailed: it was not taken; `kind` says whether repeating can help.
        """

    async def receipt(self, key: str) -> Receipt | None:
        """The receiver's word on a parcel, once there is one.

        Raises:
            HandOverFailed: the transport cannot be asked, or what it holds is no receipt.
        """


__all__ = ["FailureKind", "HandOverFailed", "Parcel", "ParcelFile", "Receipt", "RegulatorTransport"]
