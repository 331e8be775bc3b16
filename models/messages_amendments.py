"""Contracts of a recall that changes while it runs: scope versions, notices by kind, campaigns per notice version.

The workflow numbers what it creates (scope version, notice version, campaign sequence), so that an activity that runs
again after a crash finds its own work and changes nothing. Lots travel as ids and counts, consignees as counts.
"""

from typing import Literal

from pydantic import AwareDatetime, Field

from domain.scope import ScopeCriteria
from models.message_base import Actor, Message

NoticeAs = Literal["initial", "amendment", "retraction", "closure"]
"""`initial`: the first notice. `amendment`: what changed, with the whole current instructions; whoever is left without
a lot gets the retraction in the same version. `retraction`: the recall is over for everybody told. `closure`: it was
carried out and has ended; sent once, to everybody told who still has a lot."""
ClassName = Literal["I", "II", "III"]


class ProductLine(Message):
    """One product line of the scope: evaluation and class are per line."""

    key: str
    """Product family, or the product code where there is none."""


class ScopeFigures(Message):
    """What the trace found, as counts."""

    scope_version: int
    lots: int
    consignees: int
    quantity: str
    """Units of use, decimal as text."""
    gaps: int
    countries: tuple[str, ...]
    product_lines: tuple[ProductLine, ...]
    branches_move: bool = False
    """A branch of the policies, or who must sign, would change by what is on record now: the recall turns them."""


class AmendScope(Message):
    """Trace and store the next scope version: `added` for an expansion, `lot_ids` for a reduction."""

    number: str
    now: AwareDatetime
    scope_version: int = Field(ge=2)
    """The version this decision makes: one more than the newest."""
    change: Literal["expand", "reduce"]
    added: ScopeCriteria | None = None
    """Further suspect criteria; those of the version before stay."""
    lot_ids: tuple[int, ...] = ()
    """Lots taken out, by id; what descends only from them goes with them."""
    actor: Actor
    reason: str


class ScopeChange(Message):
    """What a scope version changed, as counts; a repeat of the activity answers the same."""

    scope_version: int
    change: Literal["expand", "reduce"]
    lots_added: int = 0
    lots_removed: int = 0
    consignees_added: int = 0
    """Consignees that got their first lot by this version."""
    consignees_changed: int = 0
    """Known consignees with more or fewer lots than before."""
    consignees_withdrawn: int = 0
    """Consignees left without any lot."""
    holds_to_nonconformity: int = 0
    """Claims of this recall that became nonconformity holds, because their lot was taken out."""
    told: int = 0
    """Those of the changed and withdrawn who have been given a notice, and so must be told of the change."""
    figures: ScopeFigures

    @property
    def notice_needed(self) -> bool:
        """Whether an amended notice must follow once a notice has been sent: the lots added have to be in it, and
        whoever was told of a lot that is taken out has to know."""
        return self.change == "expand" or self.told > 0


class DraftNotice(Message):
    """Draft one notice version. A higher version replaces drafts that no campaign has sent."""

    number: str
    now: AwareDatetime
    version: int = Field(default=1, ge=1)
    kind: NoticeAs = "initial"
    scope_version: int = Field(default=1, ge=1)
    """Scope the notice speaks of; the lots it names as added or taken out are those since the last notice sent."""
    class_change: tuple[ClassName, ClassName] | None = None
    """Strictest class before and now; everybody told is told of it."""


class NoticeDraft(Message):
    """Bodies rendered and stored, waiting for approval."""

    notice_id: int
    version: int
    sha256: str
    bodies: int
    kind: NoticeAs = "initial"
    audience: int | None = None
    """Consignees a campaign of this notice would address, as the record stands now."""


class CreateCampaign(Message):
    """Create the campaign of an approved notice and hand it the consignees it concerns.

    An amendment takes over whoever has lots added or taken out (everybody, when the class changed): they are open
    again from the first step. A retraction, or an amendment that leaves a consignee without lots, is sent once.
    """

    number: str
    now: AwareDatetime
    notice_id: int
    sequence: int
    kind: NoticeAs = "initial"


__all__ = [
    "AmendScope",
    "ClassName",
    "CreateCampaign",
    "DraftNotice",
    "NoticeAs",
    "NoticeDraft",
    "ProductLine",
    "ScopeChange",
    "ScopeFigures",
]
