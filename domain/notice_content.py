"""What a notice says, as data: the facts every recipient is told and the values that are one recipient's own.

The two are kept apart because they are rendered at different times. The facts are rendered once and approved;
a recipient's own values are filled into declared slots when the message is sent. Content rules: 21 CFR 7.49,
MDR Art. 89(8) (field safety notice), NMPA Order 29 Art. 15.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from domain.levels import MarketAction, RecallClass
from domain.notice_kinds import LADDER_KINDS, NoticeKind
from domain.notice_recipient import (
    LOTS,
    ROW_SLOTS,
    SITES,
    SLOTS,
    RecipientLot,
    RecipientSite,
    RecipientValues,
    brief,
    plain,
)
from domain.visible_text import Block, Line, visible


class Depth(StrEnum):
    """How far down the chain the recall reaches, each including the ones above (21 CFR 7.42(b)(1))."""

    WHOLESALE = "wholesale"
    RETAIL = "retail"
    USER = "user"


DEFAULT_LANGUAGE: Final = "en"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoticeTexts(_Frozen):
    """The free texts of a notice in one language."""

    reason: Block
    """What is wrong with the product; concise, no promotion."""
    hazard: Block
    """What it can do to a patient or user; never softened."""
    instructions: tuple[Line, ...] = ()
    """What to do beyond the standing instructions of the template."""


class NoticeProduct(_Frozen):
    """Exact identification of one affected product."""

    name: Line
    code: Line | None = None
    gtin: Line | None = None
    udi_di: Line | None = None
    manufacturer: Line | None = None
    recall_class: RecallClass | None = None
    """Strictest approved class of its product line; None where only the notice's own is known."""
    unit: Line | None = None
    """Unit of use."""
    expiry: dict[Line, date] = Field(default_factory=dict)
    """Expiry date of each lot that has one on record."""
    lots: tuple[Line, ...]
    """Every affected lot of the recall, not only this recipient's."""


class NoticeLevel(_Frozen):
    """A level in a jurisdiction's own words, such as `cn-nmpa`, `Level 1 recall`, `一级召回`."""

    jurisdiction: Line
    term: Line
    term_zh: Line


class NoticeSource(_Frozen):
    """A place in a law, as it is cited in a notice."""

    text: Line
    text_zh: Line


class NoticeLots(_Frozen):
    """Lots of one product."""

    product: Line
    lots: tuple[Line, ...]


class NoticeChange(_Frozen):
    """What a notice changes against the last one that was sent."""

    replaces_version: int = Field(ge=1)
    added: tuple[NoticeLots, ...] = ()
    removed: tuple[NoticeLots, ...] = ()
    class_from: RecallClass | None = None
    class_to: RecallClass | None = None
    whole: bool = False
    """The recall as a whole is retracted; `removed` then lists every lot that was under it."""

    @property
    def class_changed(self) -> bool:
        """Whether the classification is another than before."""
        return self.class_from is not None and self.class_to is not None and self.class_from != self.class_to

    @property
    def lots_changed(self) -> bool:
        """Whether lots came in or went out."""
        return bool(self.added or self.removed)


class NoticeContext(_Frozen):
    """The facts of one notice version, the same for every recipient."""

    recall_no: Line
    version: int = Field(default=1, ge=1)
    drill: bool = False
    issued_on: date
    recall_class: RecallClass
    """Strictest approved class; classes I and II are marked urgent (21 CFR 7.49(b))."""
    market_action: MarketAction
    levels: tuple[NoticeLevel, ...] = ()
    products: Annotated[tuple[NoticeProduct, ...], Field(min_length=1)]
    distributed_from: date | None = None
    distributed_until: date | None = None
    depth: Depth = Depth.USER
    texts: NoticeTexts
    texts_language: str = DEFAULT_LANGUAGE
    translations: dict[str, NoticeTexts] = Field(default_factory=dict)
    """Free texts in other languages; where one is missing the original is printed and marked as such."""
    firm_name: Line
    firm_phone: Line
    firm_email: Line
    contact_name: Line | None = None
    change: NoticeChange | None = None
    """Only in an amended notice and in a retraction."""
    manufacturer_srn: Line | None = None
    """Single registration number, owed in a field safety notice (MDR Art. 89(8))."""
    sub_recall_laws: tuple[NoticeSource, ...] = ()
    """What obliges a distributor to recall from its own customers, of the laws the recall runs under."""

    @property
    def urgent(self) -> bool:
        """Whether the notice bears the word URGENT."""
        return self.recall_class in {RecallClass.I, RecallClass.II}

    @property
    def lot_count(self) -> int:
        """Affected lots over all products."""
        return sum(len(product.lots) for product in self.products)

    def texts_in(self, language: str) -> NoticeTexts:
        """Free texts in a language, or the original."""
        return self._own_texts(language) or self.texts

    def is_translated(self, language: str) -> bool:
        """Whether the free texts exist in this language."""
        return self._own_texts(language) is not None

    def _own_texts(self, language: str) -> NoticeTexts | None:
        if language in self.translations:
            return self.translations[language]
        if same_language(language, self.texts_language):
            return self.texts
        return next((self.translations[tag] for tag in sorted(self.translations) if same_language(tag, language)), None)


def same_language(one: str, other: str) -> bool:
    """Whether two BCP 47 tags name one language: the same, or one of them only the base of the other (zh, zh-CN)."""
    first, second = (tag.replace("_", "-").casefold().split("-") for tag in (one, other))
    return first == second or (first[0] == second[0] and 1 in (len(first), len(second)))


def best_language(tag: str, available: Iterable[str]) -> str:
    """The template language for a partner's BCP 47 tag: exact, else same base language, else English."""
    wanted, known = tag.replace("_", "-").casefold(), sorted(available)
    for language in known:
        if language.casefold() == wanted:
            return language
    base = wanted.split("-")[0]
    return next((language for language in known if language.casefold().split("-")[0] == base), DEFAULT_LANGUAGE)


__all__ = [
    "DEFAULT_LANGUAGE",
    "LADDER_KINDS",
    "LOTS",
    "ROW_SLOTS",
    "SITES",
    "SLOTS",
    "Block",
    "Depth",
    "Line",
    "NoticeChange",
    "NoticeContext",
    "NoticeKind",
    "NoticeLevel",
    "NoticeLots",
    "NoticeProduct",
    "NoticeSource",
    "NoticeTexts",
    "RecipientLot",
    "RecipientSite",
    "RecipientValues",
    "best_language",
    "brief",
    "plain",
    "same_language",
    "visible",
]
