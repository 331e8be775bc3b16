"""What people wrote into a notice (reason, hazard, instructions and their translations), as far as rules can judge it.

Unambiguous words that weaken or praise are refused. What may be right or wrong is put to a named reviewer as a
passage, with why: a word that can soften, a lot out of the scope, a class, an address, a translation that lost a number
or a severe outcome. Ordinary text raises nothing.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.notice_content import NoticeContext, NoticeTexts, best_language
from domain.notice_facts import scope_lots
from domain.notice_foreign import foreign_lots
from domain.notice_rules import RuleBook, Words
from domain.notice_strange import ADDRESS, hidden_characters, mixed_words
from domain.notice_visible import folded, masked, named

_TELEPHONE: Final = re.compile(r"\+[0-9][0-9 ()./-]{5,}[0-9]")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_SHORTEST: Final = 0.12
"""A translation shorter than this share of its original has lost something (Chinese takes about a third)."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that a named reviewer has to read and confirm."""

    id: str
    """Over language, field, text and reasons: another text is another passage."""
    language: str
    """Of the text; of the notice that prints it, where it is not translated."""
    field: str
    text: str
    why: tuple[str, ...]
    why_zh: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What is stored."""
        return {name: getattr(self, name) for name in ("id", "language", "field", "text")} | {
            "why": list(self.why),
            "why_zh": list(self.why_zh),
        }


@dataclass(frozen=True, slots=True)
class Worded:
    """Unambiguous words in a text of people: `element` refuses it."""

    element: str
    language: str
    field: str
    word: str


Why = tuple[str, str]


def fields_of(texts: NoticeTexts) -> list[tuple[str, str]]:
    """Each text with its name."""
    rows = [(f"instructions[{index}]", line) for index, line in enumerate(texts.instructions)]
    return [("reason", texts.reason), ("hazard", texts.hazard), *rows]


def printed(context: NoticeContext, languages: Sequence[str]) -> dict[str, NoticeTexts]:
    """The texts that notices in these languages print, by the texts' own language."""
    return {
        language if context.is_translated(language) else context.texts_language: context.texts_in(language)
        for language in languages
    }


def refused_words(context: NoticeContext, languages: Sequence[str], rules: RuleBook) -> Iterator[Worded]:
    """Words that no notice may hold, in what people wrote."""
    for language, texts in printed(context, languages).items():
        words = rules.words(language)
        if words is None:
            continue
        for field, text in fields_of(texts):
            own = _without_names(text, context)
            for element, listed in (("no_reassurance", words.reassurance), ("no_promotion", words.promotion)):
                for word in named(own, listed.refused):
                    yield Worded(element, language, field, word)


def passages(
    context: NoticeContext,
    languages: Sequence[str],
    rules: RuleBook,
    other_lots: frozenset[str],
    *,
    refused_too: bool = False,
) -> Iterator[Passage]:
    """Texts to be read by a reviewer, each once with every reason.

    Args:
        refused_too: words that no notice may hold are among the reasons; nothing else refuses them.
    """
    scope = scope_lots(context)
    for language, texts in printed(context, languages).items():
        words = rules.words(language)
        original = dict(fields_of(context.texts)) if texts is not context.texts else {}
        for field, text in fields_of(texts):
            if words is None:
                why: list[Why] = [("no rules for this language", "该语言没有检查规则")]
            else:
                why = [*_doubts(text, context, words, scope, other_lots, refused_too=refused_too)]
                why += _lost(text, original.get(field), words, rules.words(context.texts_language))
            if why:
                yield _passage(language, field, text, why)


def unread(context: NoticeContext, languages: Sequence[str], readers: Iterable[str]) -> Iterator[Passage]:
    """Texts that reach recipients in a language that is not theirs, each with who they are.

    Args:
        readers: languages of the recall's consignees, as their records have them.
    """
    met = {tag: best_language(tag, languages) for tag in readers}
    for language in sorted(set(met.values()) - {each for each in languages if context.is_translated(each)}):
        why = (f"sent in {context.texts_language}: not translated to {language}", f"未译成 {language}，按原文发出")
        for field, text in fields_of(context.texts):
            yield _passage(language, field, text, [why])
    for tag, language in sorted(met.items()):
        if tag.split("-")[0].casefold() != language.split("-")[0].casefold():
            why = (f"recipients read {tag} and get the notice in {language}", f"收件方使用 {tag}，通知为 {language}")
            yield _passage(tag, "hazard", context.texts_in(language).hazard, [why])


def _passage(language: str, field: str, text: str, why: Sequence[Why]) -> Passage:
    reasons = tuple(each for each, _ in why)
    said = "\0".join([language, field, text, *reasons])
    key = hashlib.sha256(said.encode()).hexdigest()[:16]
    return Passage(key, language, field, text, reasons, tuple(each for _, each in why))


def _without_names(text: str, context: NoticeContext) -> str:
    return masked(text, [context.firm_name, *(product.name for product in context.products)])


def _doubts(
    text: str,
    context: NoticeContext,
    words: Words,
    scope: frozenset[str],
    others: frozenset[str],
    *,
    refused_too: bool,
) -> Iterator[Why]:
    own = folded(_without_names(text, context))
    weak, praise = words.reassurance, words.promotion
    for word in named(own, (*weak.flagged, *(weak.refused if refused_too else ()))):
        yield f"may weaken the hazard: {word!r}", f"可能弱化危害：“{word}”"
    for word in named(own, (*praise.flagged, *(praise.refused if refused_too else ()))):
        yield f"may be promotional: {word!r}", f"可能属于宣传用语：“{word}”"
    for lot in foreign_lots(own, words, scope, others):
        yield f"names a lot that is not in the scope: {lot}", f"提及不在召回范围内的批号：{lot}"
    known = {context.firm_email, context.firm_phone}
    for address in sorted({*ADDRESS.findall(own), *_TELEPHONE.findall(own)} - known):
        yield f"gives another address than the notice's own: {address}", f"含有通知以外的地址：{address}"
    for strange in sorted({*hidden_characters(text), *mixed_words(text)}):
        yield f"is not what it looks like: {strange}", f"含有不可见或混用的字符：{strange}"
    for named_class in sorted({found.group() for found in re.finditer(words.class_pattern, own)}):
        yield f"names a class: {named_class}", f"提及召回级别：{named_class}"
    if re.search(r"[^\W\d_]{2}", text) and not re.search(words.script, text):
        yield f"does not look like {words.language}", f"文字似乎不是 {words.language}"


def _lost(text: str, original: str | None, words: Words, first: Words | None) -> Iterator[Why]:
    """What a translation has lost or added against the original."""
    if original is None:
        return
    before, after = set(_NUMBER.findall(original)), set(_NUMBER.findall(text))
    if before != after:
        numbers = ", ".join(sorted(before ^ after))
        yield f"numbers differ from the original: {numbers}", f"数字与原文不一致：{numbers}"
    if len(text) < _SHORTEST * len(original):
        yield "much shorter than the original", "明显短于原文"
    for outcome, listed in (first.severe if first else {}).items():
        if named(original, listed) and not _mentions(text, words.severe.get(outcome, ())):
            yield (
                f"the original speaks of {outcome.replace('_', ' ')}, the translation does not",
                f"原文提及 {outcome}，译文未提及",
            )


def _mentions(text: str, listed: Sequence[str]) -> bool:
    # A language without words for the outcome cannot be judged by them.
    return not listed or bool(named(text, listed)) or any(word.casefold() in text.casefold() for word in listed)


__all__ = ["Passage", "Worded", "fields_of", "passages", "printed", "refused_words", "unread"]
