"""The facts a policy's conditions (`when`) may use: a closed list, each with type, unit and meaning.

They describe one recall at one moment, as far as its record knows: what is not known yet is the empty value ("", 0,
false, no entries), so a condition over it does not hold. No fact is personal data; the values travel in payloads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from domain.disposition import DispositionKind
from domain.geographic_scope import GeographicScope
from domain.levels import MarketAction, RecallClass


class FactType(StrEnum):
    """What a fact is, and so what it may be compared with."""

    FLAG = "true or false"
    NUMBER = "number"
    TEXT = "text"
    LIST = "list of texts"


TRIGGER_KINDS: Final = ("complaint", "internal_test", "supplier", "authority", "other")
"""What can set a recall off (`models.schemas_recall.TriggerIn.source`)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its type, what it means, and its words where the list of them is closed."""

    type: FactType
    doc: str
    words: tuple[str, ...] = ()
    pattern: str | None = None
    """What each text looks like, where that is fixed."""


def _flag(doc: str) -> Fact:
    return Fact(FactType.FLAG, doc)


def _number(doc: str) -> Fact:
    return Fact(FactType.NUMBER, doc)


def _text(doc: str, words: tuple[str, ...]) -> Fact:
    return Fact(FactType.TEXT, doc, words)


def _list(doc: str, words: tuple[str, ...] = (), pattern: str | None = None) -> Fact:
    return Fact(FactType.LIST, doc, words, pattern)


FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "implantable": _flag("A product in scope is implantable (product master)."),
        "life_supporting": _flag("A product in scope sustains or supports life (product master)."),
        "sterile": _flag("A product in scope is delivered sterile (product master)."),
        "in_transit": _flag("Units in scope are on their way to a consignee."),
        "harm_reported": _flag("Any harm has been reported, in a reply or a complaint."),
        "serious_harm_reported": _flag("A serious injury or a death has been reported."),
        "death_reported": _flag("A death has been reported."),
        "patients_involved": _flag("Units in scope were used on or implanted in patients, as consignees state."),
        "drill": _flag("The recall is a drill."),
        "units": _number("Units of use in scope."),
        "units_in_transit": _number("Units of use in scope on their way to a consignee."),
        "consignees": _number("Consignees that received product in scope."),
        "lots": _number("Lots in scope."),
        "value": _number("Value of what is decided on, in the firm's reporting currency."),
        "recall_class": _text(
            'Strictest class of any line and jurisdiction; "" until one is decided.', ("", *RecallClass)
        ),
        "geographic_scope": _text('How far the product went, by the trace; "" until traced.', ("", *GeographicScope)),
        "trigger_kind": _text("What set the recall off.", ("", *TRIGGER_KINDS)),
        "disposition": _text(
            'Kind of the disposition to be decided; "" for other steps.',
            ("", *(kind.value for kind in DispositionKind)),
        ),
        "dispositions": _list(
            "Kinds of disposition proposed or decided so far, of any unit.",
            tuple(kind.value for kind in DispositionKind),
        ),
        "market_action": _text('Market action in this jurisdiction; "" until decided.', ("", *MarketAction)),
        "countries": _list("ISO codes of the countries the product went to.", pattern=r"^[A-Z]{2}$"),
        "product_families": _list("Families of the products in scope (product master)."),
        "device_classes": _list("Device classes of the products in scope (product master)."),
        "product_lines": _list("Product lines in scope, as classified."),
    }
)
"""Every fact by its name."""
OF_A_SIGNATURE: Final = frozenset({"disposition"})
"""Facts of the one thing that is signed: for approvals, not for a branch, which is about the whole recall."""

_Count = Field(default=Decimal(0), ge=0, allow_inf_nan=False, max_digits=24, decimal_places=6)


class PolicyFacts(BaseModel):
    """The facts of one recall at one moment; every field is described in `FACTS`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    implantable: bool = False
    life_supporting: bool = False
    sterile: bool = False
    in_transit: bool = False
    harm_reported: bool = False
    serious_harm_reported: bool = False
    death_reported: bool = False
    patients_involved: bool = False
    drill: bool = False
    units: Decimal = _Count
    units_in_transit: Decimal = _Count
    consignees: Decimal = _Count
    lots: Decimal = _Count
    value: Decimal = _Count
    recall_class: RecallClass | str = Field(default="", pattern=r"^(I|II|III)?$")
    geographic_scope: str = Field(default="", max_length=40)
    trigger_kind: str = Field(default="", max_length=40)
    disposition: str = Field(default="", max_length=40)
    market_action: str = Field(default="", max_length=40)
    dispositions: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    product_families: tuple[str, ...] = ()
    device_classes: tuple[str, ...] = ()
    product_lines: tuple[str, ...] = ()

    def as_values(self) -> dict[str, Any]:
        """Name -> plain value (bool, Decimal, str, tuple of str), as an expression sees it."""
        return {
            name: str(value) if isinstance(value, str) else value
            for name, value in ((name, getattr(self, name)) for name in FACTS)
        }
