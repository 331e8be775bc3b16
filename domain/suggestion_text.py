"""What a text says, as counted features: the one reading that training and suggesting share.

Reason and product description are separate fields, for "sterile" means one thing as a fault and another as a property.
Firms are left out ("Manufactured by ..."), and so are numbers: a class must not depend on who recalls or on which lot.
"""

import re
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Final

READ_AT_MOST: Final = 20_000
"""Characters of each field that are read; more than ten times the longest reason FDA published."""
BLOCKS: Final = ("reason", "product", "together")
"""Fields of features; each is weighted and brought to length 1 on its own."""
CROSS: Final = " × "
_BEGINS: Final = "begins: "

_WORD = re.compile(r"[a-z]{2,}")
_LEADING = re.compile(r"[:;.,\n]")
_MADE_BY = re.compile(
    r"\b(?:manufactured|mfg|mfd|made|distributed|dist|distr|packaged|repackaged|marketed|compounded|prepared|imported"
    r"|relabeled|produced|sold)\.?\s+(?:and\s+(?:distributed|packed|marketed)\s+)?(?:by|for|in)\b:?[^;]{0,300}?"
    r"(?=\bndc\b|\bupc\b|\brx\b|;|$)"
)
_FORMS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("injected or infused", r"inject|vial|\biv\b|intraven|infus|syringe|parenteral|ampul"),
        ("eye", r"ophth|\beyes?\b|ocular"),
        ("swallowed", r"tablet|capsule|caplet|\boral|softgel|syrup"),
        ("on the skin", r"cream|ointment|\bgel\b|lotion|topical|shampoo|patch|transderm"),
        ("inhaled or nasal", r"inhal|nasal|aerosol|nebul"),
        ("supplement", r"supplement|herbal|sexual|\bmale\b|weight|slim|energy|enhanc|libido"),
        ("homeopathic", r"homeop"),
        ("disinfectant", r"sanitiz|alcohol|ethanol|methanol|antisep"),
        ("kit or swab", r"\bkits?\b|wipe|swab"),
        ("implant", r"implant|stent|prosthe|pacemak|defibrill|valve"),
        ("catheter or tube", r"catheter|tube|tubing|cannula"),
        ("pump or ventilator", r"pump|ventilat|dialy|oxygenat"),
        ("software or imaging", r"software|imaging|radiolog|monitor"),
        ("laboratory test", r"assay|analy[sz]er|reagent|in vitro|diagnos"),
    )
)
_LITTLE_WORDS: Final = (
    "the of and to is are was were be been for with that this these those from by on at as may can could has have had "
    "which or an it its in their there than into will would also all any being were both each other such during due if "
    "when where while until per we our they them he she his her who do does did"
)
_LITTLE: Final = frozenset(_LITTLE_WORDS.split())
"""Words without a message of their own; "no", "not" and "without" have one."""
_SUPPLY: Final = (
    ("without prescription", re.compile(r"\botc\b|over.the.counter")),
    ("prescription", re.compile(r"\brx\b|prescription")),
)


def normalised(text: str) -> str:
    """Lower case, compatibility forms folded, accents gone; at most `READ_AT_MOST` characters of the text."""
    folded = unicodedata.normalize("NFKD", text[:READ_AT_MOST]).lower()
    return "".join(char for char in folded if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """The Latin words of a normalised text, in order."""
    return _WORD.findall(text)


def telling(found: list[str]) -> list[str]:
    """The words without the little ones: "of" and "the" say how somebody writes, not what is wrong."""
    return [word for word in found if word not in _LITTLE]


def category(reason: str) -> str:
    """What a reason begins with, up to the first stop: FDA's reasons open with a term such as "Subpotent drug"."""
    for part in _LEADING.split(reason):
        found = words(part)
        if found:
            return " ".join(found[:6])
    return ""


def forms(product: str) -> list[str]:
    """How the product gets to people, as far as its description says; "other" when it does not."""
    return [name for name, pattern in _FORMS if pattern.search(product)] or ["other"]


def _supply(product: str) -> str:
    return next((name for name, pattern in _SUPPLY if pattern.search(product)), "supply unstated")


def features(reason: str, product: str) -> dict[str, Counter[str]]:
    """Counted features of a reason and a product description (any text), by block."""
    why, what = normalised(reason), normalised(product)
    said, described = telling(words(why)), telling(words(_MADE_BY.sub(" ", what)))
    shapes, supply = forms(what), _supply(what)
    together = [supply, *shapes]
    if opening := category(why):
        together += [_BEGINS + opening, *(_BEGINS + opening + CROSS + each for each in (supply, *shapes))]
    return {
        "reason": Counter(said) + Counter(f"{one} {two}" for one, two in pairwise(said)),
        "product": Counter(described),
        "together": Counter(together),
    }


__all__ = ["BLOCKS", "CROSS", "READ_AT_MOST", "category", "features", "forms", "normalised", "words"]
