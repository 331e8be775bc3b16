"""What a notice must and must not say under each law, as data: `policies/notice_content/*.yaml`.

One file per jurisdiction lists its elements (id, wording in two languages, source, channels, kinds of notice, and how
each is tested); one file per language under `words/` holds the phrases and word lists the tests look for. A fault names
the file and the path in it. `RuleBook` is the whole, `ruleset_sha256` its identity in the record.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.channels import Channel
from domain.notice_content import LADDER_KINDS, NoticeKind, NoticeSource
from domain.policy_text import PolicyError, fault_line, load_mapping

DEFAULT: Final = "default"
"""The list for a jurisdiction that has none of its own."""
INSTRUCTING: Final = (*LADDER_KINDS, NoticeKind.AMENDMENT)
"""Kinds that ask for something; an element is of these unless it says otherwise."""

BY_RULES: Final = frozenset(
    (
        *("urgent", "drill", "now_affected", "no_longer_affected", "lots_label", "lot_label"),
        *("retracted", "ended", "no_answer_needed"),
    )
)
"""Phrases that tests of their own look for."""

FactName = Literal[
    "recall_no",
    "version",
    "issued_on",
    "product_name",
    "first_product",
    "product_code",
    "gtin",
    "udi_di",
    "manufacturer",
    "manufacturer_srn",
    "distribution_dates",
    "expiry",
    "levels",
    "reason",
    "hazard",
    "instructions",
    "firm_name",
    "firm_phone",
    "firm_email",
    "replaced_version",
]
SlotName = Literal[
    "link", "respond_by", "recipient_name", "lots_brief", "lot.number", "lot.quantity", "lot.serials", "lot.expires_on"
]
RuleName = Literal[
    "marking",
    "action",
    "drill",
    "lots",
    "lots_changed",
    "class_changed",
    "classification",
    "own_lots",
    "no_foreign_lot",
    "no_reassurance",
    "no_promotion",
    "no_strange_value",
    "readable",
    "standing",
]
PartName = Literal["subject", "text", "html"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Said = Annotated[str, Field(min_length=1, max_length=400)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Element(_Data):
    """One thing a notice must say (or never say) under one law."""

    id: Name
    text: Said
    text_zh: Said
    source: Said
    basis: Literal["law", "guidance", "house"]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    kinds: Annotated[tuple[NoticeKind, ...], Field(min_length=1)] = INSTRUCTING
    parts: Annotated[tuple[PartName, ...], Field(min_length=1)] = ("text", "html")
    """Where it must be, of the parts the body has."""
    fact: FactName | None = None
    """Values of the record that must be there, each as recorded."""
    lead: int | None = Field(default=None, ge=4, le=80)
    """Only the first so many characters of the value: for texts that are cut."""
    label: Name | None = None
    """Phrase directly before the value."""
    whole_line: bool = False
    """The value ends its line: nothing can be put behind it."""
    required: bool = False
    """The record has to hold a value of the fact: without one the notice is refused."""
    phrase: Name | None = None
    """A phrase of the language's word file that must be there."""
    slot: SlotName | None = None
    """A value of the recipient's own that must be shown whenever there is one; the link always."""
    rule: RuleName | None = None
    """A test of its own."""

    @model_validator(mode="after")
    def _tested_in_one_way(self) -> "Element":
        ways = [name for name in ("fact", "phrase", "slot", "rule") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"expected exactly one of fact, phrase, slot, rule; got {', '.join(ways) or 'none'}")
        if self.fact is None and (self.lead is not None or self.whole_line or self.required):
            raise ValueError("lead, whole_line and required belong to an element with fact")
        if self.label is not None and self.fact is None and self.slot is None:
            raise ValueError("label belongs to an element with fact or slot")
        return self

    @property
    def test(self) -> tuple[Any, ...]:
        """What tells two tests apart: elements of several laws that share it are tested once."""
        return (
            self.id,
            self.fact,
            self.lead,
            self.label,
            self.whole_line,
            self.required,
            self.phrase,
            self.slot,
            self.rule,
            self.parts,
        )


class Content(_Data):
    """The elements of one jurisdiction."""

    schema_: Literal["notice-content/1"] = Field(alias="schema")
    jurisdiction: Annotated[str, Field(pattern=r"^([a-z]{2}-[a-z0-9-]{2,16}|default)$")]
    version: int = Field(ge=1)
    verified_note: Said
    languages: tuple[str, ...] = ()
    """Languages a notice must exist in under this law."""
    sub_recall: NoticeSource | None = None
    """Where this law asks a distributor to recall from its own customers; cited in what asks for it."""
    elements: Annotated[tuple[Element, ...], Field(min_length=1, max_length=200)]


Alternative = str | Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
"""One wording; a list is one whose pieces must all be there."""
Wordings = Annotated[tuple[Alternative, ...], Field(min_length=1)]


class WordList(_Data):
    """Words that weaken or praise: refused wherever they stand, or put to a reviewer where people wrote them."""

    refused: Annotated[tuple[Said, ...], Field(min_length=1)]
    flagged: tuple[Said, ...] = ()


class Words(_Data):
    """What the tests look for in one language."""

    schema_: Literal["notice-words/1"] = Field(alias="schema")
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    separator: Annotated[str, Field(min_length=1, max_length=4)]
    """Between two lots of a list."""
    colon: Annotated[str, Field(min_length=1, max_length=2)]
    script: Annotated[str, Field(min_length=1, max_length=100)]
    """Regular expression of a letter that a text in this language must hold."""
    phrases: dict[Name, Wordings]
    negations: Annotated[tuple[Said, ...], Field(min_length=1)]
    """Words that turn a phrase behind them in the same clause into its opposite."""
    actions: dict[str, Wordings]
    """Market action -> name of the notice."""
    handling: dict[str, Wordings]
    depth: dict[str, Wordings]
    class_names: dict[Literal["I", "II", "III"], Wordings]
    """How a class of ours is written in a change of class."""
    class_pattern: Said
    """Regular expression of anything that names a class."""
    lot_pattern: Said
    """Regular expression of a lot number named in running text; its first group is the number."""
    reassurance: WordList
    promotion: WordList
    severe: dict[Name, Annotated[tuple[Said, ...], Field(min_length=1)]]
    """Severe outcomes and their words: a translation may not lose one."""

    @model_validator(mode="after")
    def _patterns_can_be_read(self) -> "Words":
        for name in ("script", "class_pattern", "lot_pattern"):
            try:
                pattern = re.compile(getattr(self, name))
            except re.error as error:
                raise ValueError(f"{name}: expected a regular expression: {error}") from None
            if name == "lot_pattern" and pattern.groups < 1:
                raise ValueError("lot_pattern: expected a group around the number")
        return self


class RuleBook:
    """Every jurisdiction's elements and every language's words."""

    def __init__(self, contents: Mapping[str, Content], words: Mapping[str, Words], sha256: str) -> None:
        self._contents = dict(contents)
        self._words = dict(words)
        self.sha256 = sha256
        """Over the texts of all files: which rules a check was made with."""

    def content(self, jurisdiction: str) -> Content:
        """The jurisdiction's own list, or the house's where it has none."""
        return self._contents.get(jurisdiction) or self._contents[DEFAULT]

    def sub_recall(self, jurisdictions: Sequence[str]) -> tuple[NoticeSource, ...]:
        """Where these laws ask for a sub-recall, each place once."""
        found = (self.content(law).sub_recall for law in jurisdictions)
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def words(self, language: str) -> Words | None:
        """The words of a language; None where there are none, and then nothing can be checked."""
        return self._words.get(language)

    @property
    def jurisdictions(self) -> tuple[str, ...]:
        """Jurisdictions with a list of their own."""
        return tuple(sorted(set(self._contents) - {DEFAULT}))

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages with words."""
        return tuple(sorted(self._words))


def parse_rules(contents: Mapping[str, str], words: Mapping[str, str]) -> RuleBook:
    """Read the files, given by name.

    Raises:
        PolicyError: one line per fault: file, path, what was expected.
    """
    faults: list[str] = []
    read = {name: _read(name, text, Content, faults) for name, text in sorted(contents.items())}
    spoken = {f"words/{name}": _read(f"words/{name}", text, Words, faults) for name, text in sorted(words.items())}
    if faults:
        raise PolicyError(faults)
    by_law: dict[str, Content] = {}
    by_language: dict[str, Words] = {}
    for name, content in read.items():
        _put(by_law, content.jurisdiction, content, name, faults)
        faults += _repeated(name, content)
    for name, each in spoken.items():
        _put(by_language, each.language, each, name, faults)
    if DEFAULT not in by_law:
        faults.append("default.yaml: jurisdiction: expected one list for `default`")
    needed = {value for content in by_law.values() for item in content.elements for value in (item.phrase, item.label)}
    needed |= BY_RULES
    for language, each in by_language.items():
        known = set(each.phrases) | {"handling", "depth"}
        faults += [
            f"words/{language}.yaml: phrases: expected {name}" for name in sorted({*filter(None, needed)} - known)
        ]
    if faults:
        raise PolicyError(faults)
    whole = "\0".join(f"{name}\0{text}" for name, text in [*sorted(contents.items()), *sorted(words.items())])
    return RuleBook(by_law, by_language, hashlib.sha256(whole.encode()).hexdigest())


def _read(name: str, text: str, model: type[Any], faults: list[str]) -> Any:
    try:
        return model.model_validate(load_mapping(text))
    except PolicyError as error:
        faults += [f"{name}: {line}" for line in error.faults]
    except ValidationError as error:
        faults += [f"{name}: {fault_line(item)}" for item in error.errors()]
    return None


def _put(found: dict[str, Any], key: str, value: Any, name: str, faults: list[str]) -> None:
    if key in found:
        faults.append(f"{name}: {key!r} has two files")
    found[key] = value


def _repeated(name: str, content: Content) -> list[str]:
    seen: set[tuple[str, Channel, NoticeKind]] = set()
    faults = []
    for index, element in enumerate(content.elements):
        keys = {(element.id, channel, kind) for channel in element.channels for kind in element.kinds}
        if keys & seen:
            faults.append(f"{name}: elements[{index}].id: {element.id!r} is there twice for one channel and kind")
        seen |= keys
    return faults


__all__ = ["DEFAULT", "INSTRUCTING", "Content", "Element", "RuleBook", "WordList", "Words", "parse_rules"]
