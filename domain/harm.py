"""Finds words of harm in what people write, so that a report in the wrong box still reaches somebody at once.

A second net beside the form's own question and the SMS code: it errs on the side of a report. Only a plain denial
right before the word ("no injuries", "无人受伤") keeps it quiet.
"""

import re
import unicodedata
from typing import Final

_WORDS: Final = (
    r"(?:harm(?:s|ed|ful)?|injur(?:y|ies|ed|ing)|hurts?|hurting|di(?:ed|es)|dying|dead|deaths?|killed|fatal(?:ity|ities)?"
    r"|adverse (?:event|reaction)s?|hospitali[sz]ed)"
)
_FILLERS: Final = (
    r"(?: (?:patients?|people|persons?|staff|users?|one|any|known|serious|reported"
    r"|was|were|is|are|been|being|has|have|had|got|of|us|them|or)){0,12}"
)
_DENIED: Final = re.compile(rf"\b(?:no|without|zero|nobody|none|not|never|0){_FILLERS} {_WORDS}\b", re.IGNORECASE)
_ENGLISH: Final = re.compile(rf"\b{_WORDS}\b", re.IGNORECASE)
_CHINESE_WORDS: Final = "(?:死亡|去世|伤亡|受伤|伤害|损伤|致残|不良事件|不良反应)"
_CHINESE_DENIED: Final = re.compile(
    rf"(?:暂无|无|没有|未)(?:任何|患者|病人|人员|人|发生|造成|出现|导致|引起|发现){{0,12}}{_CHINESE_WORDS}"
)
_CHINESE: Final = re.compile(_CHINESE_WORDS)
_SPANISH_WORDS: Final = (
    r"(?:da(?:ñ|n)(?:o|os|ado|ada|ados|adas)|herid[oa]s?|lesi(?:ó|o)n(?:es|ad[oa]s?)?|muert[oea]s?|murió|murieron"
    r"|falleci(?:do|da|dos|das|ó|eron|miento|mientos)|hospitalizad[oa]s?"
    r"|(?:evento|efecto|acontecimiento|reacción)(?:e?s)? advers[oa]s?)"
)
_SPANISH_FILLERS: Final = (
    r"(?: (?:hay|hubo|ha|han|habido|sido|se|registrado|producido|ningún|ninguna|ningun|pacientes?|personas?|personal"
    r"|resultó|resultado)){0,12}"
)
_SPANISH_DENIED: Final = re.compile(
    rf"\b(?:no|sin|ningún|ningun|ninguna|nadie|nunca|0){_SPANISH_FILLERS} {_SPANISH_WORDS}\b", re.IGNORECASE
)
_SPANISH: Final = re.compile(rf"\b{_SPANISH_WORDS}\b", re.IGNORECASE)


def mentions_harm(text: str | None) -> bool:
    """Whether a text speaks of somebody being harmed, in English, Chinese or Spanish; the whole of it is read."""
    if not text:
        return False
    plain = " ".join(unicodedata.normalize("NFKC", text).replace("\u2019", "'").split())
    left = _SPANISH_DENIED.sub(" ", _CHINESE_DENIED.sub(" ", _DENIED.sub(" ", plain)))
    return any(words.search(left) for words in (_ENGLISH, _CHINESE, _SPANISH))
