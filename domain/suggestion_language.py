"""Whether a text is English enough for a model that has read English only.

Two signs, both cheap and explainable: letters of another script, and little words (the, und, que ...) that one
language has and the others have not. A few words without any of them pass: "Non-sterility" is a whole reason.
"""

import re
import unicodedata
from typing import Final

_OTHER_SCRIPT_SHARE: Final = 0.2
"""Share of letters outside Latin and Greek (units, Greek letters of chemistry) from which a text is not English."""
_READ: Final = 20_000
_WORD = re.compile(r"[^\W\d_]+")
_LITTLE_WORDS: Final = (
    "the of and to is are was were be been for with that this these from by on at as may can could not has have had "
    "which due or an it its in no their there when than into"
)
_ENGLISH: Final = frozenset(_LITTLE_WORDS.split())
_OTHERS: Final = tuple(
    frozenset(words.split()) - _ENGLISH
    for words in (
        "der die das und ist sind nicht mit für von dem den ein eine einer wird werden kann auf bei oder durch zur",
        "le la les des et est sont du une pour dans avec sur qui que ne pas au aux ou ce cette peut été être",
        "el la los las es son del una para con por que se su puede han como más este esta debido producto",
        "il gli è sono della del dei delle una con che di nel può stato essere dal alla prodotto",
        "os é são da dos das uma para com por que não na pode foi ser ao produto",
        "het een zijn van voor met niet op te door wordt kan dat die aan bij uit naar",
        "och är det som inte med för på av till den kan ett från eller vid",
        "na nie się jest że oraz może przez dla są od po jak lub",
        "ve bir bu için ile olarak olan değil da de veya",
    )
)


def not_english(text: str) -> bool:
    """Whether a text is plainly in another language; an empty one is not."""
    sample = text[:_READ]
    letters = [char for char in sample if char.isalpha()]
    foreign = sum(1 for char in letters if not unicodedata.name(char, "").startswith(("LATIN", "GREEK")))
    if letters and foreign / len(letters) > _OTHER_SCRIPT_SHARE:
        return True
    found = {word.lower() for word in _WORD.findall(sample)}
    other = max(len(found & language) for language in _OTHERS)
    return other >= 2 and other > len(found & _ENGLISH)


__all__ = ["not_english"]
