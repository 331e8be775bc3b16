"""The content check of a notice: every drafted body against the record, element by element, under every law it serves.

A refusal names its element, the body and part it is in, the laws that ask for it, and what was expected. What rules
cannot judge comes back as passages for a named reviewer. Sources: 21 CFR 7.49, MDR Art. 89(8) and the FSN template,
NMPA Order 29 Art. 15; each element names its own (`policies/notice_content/`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final

from domain.channels import Channel
from domain.notice_body import ApprovedBody, fill
from domain.notice_check_rules import RULES, affirmed, shown
from domain.notice_content import NoticeContext, NoticeKind
from domain.notice_enclosure_check import MACHINE, Enclosing, ReadLetter, enclosure_faults
from domain.notice_facts import BARE, FACTS, PROBE, PROBE_LINK, SHOWN, written_words
from domain.notice_free_text import Passage, passages, refused_words, unread
from domain.notice_kinds import SENT_ONCE
from domain.notice_part import Fault, Part
from domain.notice_record import Recorded, record_faults
from domain.notice_rules import Element, RuleBook, Words
from domain.notice_visible import finder, folded, masked, title_of, visible_html

LANGUAGE = "language"
"""Element of a body in a language without words, and of a law whose language is missing."""
RECORD = "record"
"""Body of a refusal that is about the facts the notice was drafted from."""
_WHOLE_LINK: Final = re.compile(
    rf"(?<![^\s(（<“：，。；]){re.escape(PROBE_LINK)}(?=[\s)）>”，。；、]|[.,;!?](?:\s|$)|$)"
)
"""The recipient's link with nothing before or behind it that would be read as a part of it."""
_NONE_READ: Final[Mapping[str, ReadLetter]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Refusal:
    """One element that a notice lacks or breaks."""

    element: str
    body: str
    """`<kind>/<channel>.<language>`, `texts.<language>` for what people wrote, or `RECORD`."""
    part: str
    jurisdictions: tuple[str, ...]
    source: str
    text: str
    text_zh: str

    def as_json(self) -> dict[str, Any]:
        """What is stored."""
        return asdict(self) | {"jurisdictions": list(self.jurisdictions)}


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome over all bodies of a notice."""

    refusals: tuple[Refusal, ...]
    passages: tuple[Passage, ...]
    rules_sha256: str
    bodies: tuple[str, ...] = field(default=())
    """Hashes of the bodies that were checked."""


def check_notice(
    bodies: Sequence[ApprovedBody],
    context: NoticeContext,
    jurisdictions: Sequence[str],
    rules: RuleBook,
    other_lots: frozenset[str] = frozenset(),
    letters: Mapping[str, ReadLetter] = _NONE_READ,
    readers: Iterable[str] = (),
    recorded: Recorded | None = None,
) -> Check:
    """Compare every body, and the files that go with it, with the record.

    Args:
        context: the facts the bodies were drafted from.
        jurisdictions: laws the recall runs under.
        other_lots: lots of the same products that are not in the scope.
        letters: what the bodies' PDFs say, by the body's hash; a letter that was not read is refused.
        readers: languages of the recall's consignees.
        recorded: the facts read a second time, by other queries; `context` is compared with them.
    """
    languages = sorted({body.language for body in bodies})
    found: list[Refusal] = []
    for body in bodies:
        found += _check_body(body, jurisdictions, rules, Enclosing(bodies, letters, context, other_lots))
    # Neither prints what people wrote, and the texts of a recall that has ended cannot be corrected any more.
    last_word = {NoticeKind(body.kind) for body in bodies} <= SENT_ONCE
    found += _missing_languages(languages, None if last_word else context, jurisdictions, rules)
    every = tuple(jurisdictions)
    for fault in record_faults(context, recorded) if recorded is not None else ():
        element = str(fault.element)
        source = _source(element, jurisdictions, rules)
        found.append(Refusal(element, RECORD, "facts", every, source, fault.text, fault.text_zh))
    if not last_word:
        found += _refused_texts(languages, context, jurisdictions, rules)
    read = passages(context, languages, rules, other_lots, refused_too=last_word)
    doubtful = (*read, *unread(context, languages, readers))
    return Check(tuple(found), doubtful, rules.sha256, tuple(sorted(body.sha256 for body in bodies)))


def _source(element: str, jurisdictions: Sequence[str], rules: RuleBook) -> str:
    every = [item for law in jurisdictions for item in rules.content(law).elements if item.id == element]
    return "; ".join(dict.fromkeys(item.source for item in every))


def _refused_texts(
    languages: Sequence[str], context: NoticeContext, jurisdictions: Sequence[str], rules: RuleBook
) -> Iterator[Refusal]:
    """Words in what people wrote that no notice may hold."""
    for each in refused_words(context, languages, rules):
        yield Refusal(
            each.element,
            f"texts.{each.language}",
            each.field,
            tuple(jurisdictions),
            _source(each.element, jurisdictions, rules),
            f"not to be said in a notice: {each.word!r}",
            f"通知中不得使用“{each.word}”",
        )


def _missing_languages(
    languages: Sequence[str], context: NoticeContext | None, jurisdictions: Sequence[str], rules: RuleBook
) -> Iterator[Refusal]:
    """A language that a law names has bodies, and texts of people (where there are any) that are written in it."""
    for law in jurisdictions:
        for language in rules.content(law).languages:
            if language not in languages:
                text, chinese = f"no body in {language}", f"缺少 {language} 版本"
                yield Refusal(LANGUAGE, f"*/*.{language}", "text", (law,), law, text, chinese)
            elif context is not None and not context.is_translated(language):
                text = f"reason and hazard are not translated to {language}"
                yield Refusal(
                    LANGUAGE, f"texts.{language}", "text", (law,), law, text, f"召回原因和危害未译成 {language}"
                )


def _check_body(
    body: ApprovedBody, jurisdictions: Sequence[str], rules: RuleBook, along: Enclosing
) -> Iterator[Refusal]:
    name = f"{body.kind}/{body.channel}.{body.language}"
    words = rules.words(body.language)
    if words is None:
        text = f"there are no words to check {body.language} with"
        yield Refusal(LANGUAGE, name, "text", tuple(jurisdictions), "", text, f"没有语言 {body.language} 的检查词表")
        return
    for fault in enclosure_faults(body, words, along):
        yield Refusal(fault.element or MACHINE, name, "enclosed", tuple(jurisdictions), "", fault.text, fault.text_zh)
    parts = list(_parts(body, along.context, words, along.other_lots))
    for element, laws, source in _elements(body, jurisdictions, rules):
        told: set[tuple[str, str, str]] = set()
        for part in parts:
            if part.name not in element.parts:
                continue
            for fault in _faults(element, part):
                key = (fault.element or element.id, part.name, fault.text)
                if key not in told:
                    told.add(key)
                    yield Refusal(key[0], name, part.name, laws, source, fault.text, fault.text_zh)


def _elements(
    body: ApprovedBody, jurisdictions: Sequence[str], rules: RuleBook
) -> list[tuple[Element, tuple[str, ...], str]]:
    """The tests a body is put to, each once, with the laws that ask for it and their sources."""
    channel, kind = Channel(body.channel), NoticeKind(body.kind)
    found: dict[tuple[Any, ...], tuple[Element, list[str], list[str]]] = {}
    for law in jurisdictions:
        for element in rules.content(law).elements:
            if channel in element.channels and kind in element.kinds:
                _, laws, sources = found.setdefault(element.test, (element, [], []))
                laws.append(law)
                sources.append(element.source)
    return [(element, tuple(laws), "; ".join(dict.fromkeys(sources))) for element, laws, sources in found.values()]


def _parts(body: ApprovedBody, context: NoticeContext, words: Words, other_lots: frozenset[str]) -> Iterator[Part]:
    bare, full = fill(body, BARE), fill(body, PROBE)
    kind, channel, texts = NoticeKind(body.kind), Channel(body.channel), context.texts_in(body.language)
    people = [texts.reason, texts.hazard, *texts.instructions]

    def part(name: str, less: str, more: str, links: tuple[str, ...] = (), markup: str = "") -> Part:
        said = masked(less, people)
        written = written_words(f"{more}\n{title_of(markup)}", context, body.language, words)
        own = folded(written)
        seen = (less, more, context, words, said, own, other_lots, links, written, markup)
        return Part(name, kind, channel, body.language, *seen)

    if bare.subject is not None and full.subject is not None:
        yield part("subject", bare.subject, full.subject)
    yield part("text", bare.text, full.text)
    if bare.html is not None and full.html is not None:
        less, links = visible_html(bare.html)
        yield part("html", less, visible_html(full.html)[0], links, full.html)


def _faults(element: Element, part: Part) -> Iterator[Fault]:
    if element.rule is not None:
        yield from RULES[element.rule](part)
    elif element.fact is not None:
        yield from _fact(element, part)
    elif element.phrase is not None:
        wordings = _wordings(element.phrase, part)
        if wordings and not affirmed(part, wordings):
            yield Fault(
                f"{element.text}: expected {shown(wordings)!r}", f"{element.text_zh}：应写明“{shown(wordings)}”"
            )
    elif element.slot is not None:
        yield from _slot(element, part)


def _fact(element: Element, part: Part) -> Iterator[Fault]:
    assert element.fact is not None  # noqa: S101 - the caller's case
    labels = [shown([each]) for each in part.words.phrases[element.label]] if element.label else [""]
    values = FACTS[element.fact](part.context, part.language)
    if element.required and not values:
        yield Fault(f"{element.text}: none on record", f"{element.text_zh}：没有记录")
    for value in values:
        wanted = value[: element.lead].rstrip() if element.lead else value
        if not wanted:
            continue
        if element.lead:
            there = " ".join(wanted.split()) in " ".join(part.bare.split())
        else:
            found = (finder(wanted, after=label, whole_line=element.whole_line).search(part.bare) for label in labels)
            there = any(found)
        if not there:
            yield Fault(
                f"{element.text}: {wanted[:200]!r} as recorded", f"{element.text_zh}：应与记录一致“{wanted[:200]}”"
            )


def _wordings(phrase: str, part: Part) -> Sequence[Any]:
    """The wordings of a phrase; handling and depth depend on what was decided."""
    context, words = part.context, part.words
    if phrase == "handling":
        return words.handling.get(context.market_action.value) or words.handling["removal"]
    if phrase == "depth":
        return words.depth[context.depth.value]
    return words.phrases[phrase]


def _slot(element: Element, part: Part) -> Iterator[Fault]:
    assert element.slot is not None  # noqa: S101 - the caller's case
    text = part.bare if element.slot == "link" else part.full
    labels = [shown([each]) for each in part.words.phrases[element.label]] if element.label else [""]
    if not all(any(finder(value, after=label).search(text) for label in labels) for value in SHOWN[element.slot]):
        yield Fault(f"{element.text}: the recipient's value is not shown", f"{element.text_zh}：未显示收件方的内容")
    if element.slot == "link" and text.count(PROBE_LINK) > len(_WHOLE_LINK.findall(text)):
        yield Fault(f"{element.text}: something is joined to the link", f"{element.text_zh}：链接前后连有其他字符")
    if element.slot == "link" and part.name == "html" and PROBE_LINK not in part.links:
        yield Fault(f"{element.text}: the link cannot be followed", f"{element.text_zh}：链接无法打开")


__all__ = ["LANGUAGE", "MACHINE", "RECORD", "Check", "Refusal", "check_notice"]
