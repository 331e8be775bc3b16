"""What a notice says, as data: the facts every recipient is told and the values that are one recipient's own.

The two are kept apart because they are rendered at different times. The facts are rendered once and approved;
a recipient's own values are filled into declared slots when the message is sent. Content rules: 21 CFR 7.49,
MDR Art. 89(8) (field safety notice), NMPA Order 29 Art. 15.
"""

import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from domain.levels import MarketAction, RecallClass


class NoticeKind(StrEnum):
    """Which message: a step of the ladder, or what is said when a running recall changes; one folder each."""

    INITIAL = "initial"
    REMINDER = "reminder"
    ESCALATION = "escalation"
    """To another contact or over another channel, after silence."""
    AMENDMENT = "amendment"
    """First message of a changed recall to whoever was told before: what changed, and the whole instructions again."""
    RETRACTION = "retraction"
    """The recipient's lots are no longer under recall; sent once, nothing is asked."""


LADDER_KINDS: Final = (NoticeKind.INITIAL, NoticeKind.REMINDER, NoticeKind.ESCALATION)
"""Bodies a ladder needs, whatever the version of the notice."""


class Depth(StrEnum):
    """How far down the chain the recall reaches, each including the ones above (21 CFR 7.42(b)(1))."""

    WHOLESALE = "wholesale"
    RETAIL = "retail"
    USER = "user"


DEFAULT_LANGUAGE: Final = "en"
_LONGEST_LINE: Final = 500
_LONGEST_BLOCK: Final = 8000


_JOINERS: Final = "\u200c\u200d"  # zero-width (non-)joiner: spelling in several scripts


def without_hidden(text: str, keep: str = "") -> str:
    """Text without characters that make it read differently from what is stored.

    Controls and line separators become spaces; bidirectional overrides, zero-width and other format
    characters go. They come from master data and cannot be seen, so nobody could act on a refusal, and a
    recall must not wait for them.
    """
    out = []
    for character in text:
        category = unicodedata.category(character)
        if character in keep or character in _JOINERS or category not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            out.append(character)
        elif category in {"Cc", "Zl", "Zp"}:
            out.append(" ")
    return "".join(out)


def visible(text: str, limit: int = _LONGEST_LINE) -> str:
    """One visible line."""
    return " ".join(without_hidden(text).split())[:limit]


def _block(text: str) -> str:
    return without_hidden(text.replace("\r\n", "\n"), keep="\n\t").strip()


def _if_text(clean: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: clean(value) if isinstance(value, str) else value


Line = Annotated[str, BeforeValidator(_if_text(visible)), Field(min_length=1, max_length=_LONGEST_LINE)]
"""One line of visible text."""
Block = Annotated[str, BeforeValidator(_if_text(_block)), Field(min_length=1, max_length=_LONGEST_BLOCK)]
"""Visible text of one or more paragraphs."""


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
    lots: tuple[Line, ...]
    """Every affected lot of the recall, not only this recipient's."""


class NoticeLevel(_Frozen):
    """A level in a jurisdiction's own words, such as `cn-nmpa`, `Level 1 recall`, `一级召回`."""

    jurisdiction: Line
    term: Line
    term_zh: Line


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
        return self.translations.get(language, self.texts)

    def is_translated(self, language: str) -> bool:
        """Whether the free texts exist in this language."""
        return language == self.texts_language or language in self.translations


class RecipientLot(_Frozen):
    """One row of the recipient's own table: what our records say was delivered."""

    product: str
    gtin: str | None = None
    lot: str
    quantity: Decimal
    unit: str
    shipped_on: date | None = None
    """Date of the last delivery."""


class RecipientValues(_Frozen):
    """What is filled in at sending time; nothing here is part of what was approved."""

    recipient_name: str
    """Organisation."""
    contact_name: str = ""
    lots: tuple[RecipientLot, ...]
    link: Annotated[str, Field(pattern=r"^https?://[^\s<>\"']+$")]
    respond_by: AwareDatetime | None = None
    time_zone: str = "UTC"
    """IANA zone in which `respond_by` is written."""
    first_notice_on: date | None = None
    """Day of the first notice, for reminders and escalations."""
    added_lots: tuple[str, ...] = ()
    """Own lots that came in by the notice's change."""
    removed_lots: tuple[str, ...] = ()
    """Own lots that went out by it."""
    answer_stands: bool = False
    """The recipient has answered for every lot that is left: nothing is asked again."""

    def slots(self) -> dict[str, str]:
        """Value of every scalar slot; an empty one hides the section around it."""
        return {
            "recipient_name": visible(self.recipient_name),
            "contact_name": visible(self.contact_name),
            "link": self.link,
            "respond_by": _instant(self.respond_by, self.time_zone),
            "first_notice_on": self.first_notice_on.isoformat() if self.first_notice_on else "",
            "lots_brief": brief(f"{visible(row.lot)} ({plain(row.quantity)})" for row in self.lots),
            "lot_rows": str(len(self.lots) or ""),
            "own_added": visible(", ".join(self.added_lots), _LONGEST_BLOCK),
            "own_added_brief": brief(visible(lot) for lot in self.added_lots),
            "own_removed": visible(", ".join(self.removed_lots), _LONGEST_BLOCK),
            "own_removed_brief": brief(visible(lot) for lot in self.removed_lots),
            "answer_stands": "yes" if self.answer_stands else "",
        }

    def rows(self) -> list[dict[str, str]]:
        """Values of the table's row slots."""
        return [
            {
                "lot.product": visible(row.product),
                "lot.gtin": visible(row.gtin or "") or "–",
                "lot.number": visible(row.lot),
                "lot.quantity": plain(row.quantity),
                "lot.unit": visible(row.unit),
                "lot.shipped_on": row.shipped_on.isoformat() if row.shipped_on else "–",
            }
            for row in self.lots
        ]


SLOTS: Final = frozenset(
    {"recipient_name", "contact_name", "link", "respond_by", "first_notice_on", "lots_brief", "lot_rows"}
    | {"own_added", "own_added_brief", "own_removed", "own_removed_brief", "answer_stands"}
)
"""Every scalar slot a template may use."""
ROW_SLOTS: Final = frozenset({"lot.product", "lot.gtin", "lot.number", "lot.quantity", "lot.unit", "lot.shipped_on"})
"""Slots inside the repeated section `lots`."""
ROWS: Final = "lots"


def brief(items: Iterable[str], shown: int = 2, limit: int = 60) -> str:
    """The first items and how many more there are, for a text message."""
    listed = list(items)
    text = ", ".join(listed[:shown])[:limit]
    return f"{text} +{len(listed) - shown}" if len(listed) > shown else text


def plain(quantity: Decimal) -> str:
    """A quantity without exponent or trailing zeros."""
    text = format(quantity, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def best_language(tag: str, available: Iterable[str]) -> str:
    """The template language for a partner's BCP 47 tag: exact, else same base language, else English."""
    wanted, known = tag.replace("_", "-").casefold(), sorted(available)
    for language in known:
        if language.casefold() == wanted:
            return language
    base = wanted.split("-")[0]
    return next((language for language in known if language.casefold().split("-")[0] == base), DEFAULT_LANGUAGE)


def _instant(moment: datetime | None, zone: str) -> str:
    if moment is None:
        return ""
    try:
        local, name = moment.astimezone(ZoneInfo(zone)), zone
    except (KeyError, ValueError):
        # A wrong zone in the master data must not cost the recipient the notice.
        local, name = moment.astimezone(UTC), "UTC"
    return f"{local:%Y-%m-%d %H:%M} ({name})"
