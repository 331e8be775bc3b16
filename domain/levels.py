"""Recall classes, jurisdictions and market actions, and which of several is the strictest.

Inside the product every recall has one class I, II or III per product line and jurisdiction (21 CFR
7.3(m)). The jurisdiction's own term (FDA class, 一级/二级/三级, the EU's severity bucket 1 to 4) is a
*level* of its policy; each level names the classes it covers, so the terms stay data.
"""

from collections.abc import Iterable
from enum import StrEnum


class RecallClass(StrEnum):
    """The hazard class; I is the most serious."""

    I = "I"  # noqa: E741 (the law's own name)
    II = "II"
    III = "III"


class Jurisdiction(StrEnum):
    """The laws a recall can run under; the value is the id of the policy."""

    US_FDA = "us-fda"
    EU_MDR = "eu-mdr"
    CN_NMPA = "cn-nmpa"
    CA_HC = "ca-hc"
    AU_TGA = "au-tga"
    GB_MHRA = "gb-mhra"


class MarketAction(StrEnum):
    """What is done about the product in one jurisdiction (21 CFR 7.3, 806.2; MDR Art. 2(68))."""

    REMOVAL = "removal"
    CORRECTION = "correction"
    MARKET_WITHDRAWAL = "market_withdrawal"
    STOCK_RECOVERY = "stock_recovery"
    FSCA = "fsca"
    NONE = "none"


RECALL_ACTIONS = frozenset({MarketAction.REMOVAL, MarketAction.CORRECTION, MarketAction.FSCA})
"""Actions that are a recall in law; every other one needs a signed justification (21 CFR 806.20)."""


def needs_justification(action: MarketAction) -> bool:
    """Whether choosing `action` needs a signed "not reportable" justification (21 CFR 806.20)."""
    return action not in RECALL_ACTIONS


def strictness(recall_class: RecallClass) -> int:
    """3 for class I, 2 for II, 1 for III: higher is stricter."""
    return 3 - list(RecallClass).index(recall_class)


def strictest(classes: Iterable[RecallClass]) -> RecallClass | None:
    """The most serious of `classes`; None when there are none."""
    return max(classes, key=strictness, default=None)
