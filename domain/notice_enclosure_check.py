"""The check of what goes along with a body: the facts for machines, the letter as a PDF, the words of the own sheet.

Which body needs what follows from its kind and channel, so that a file left out is refused like one that is wrong. The
letter is compared as it is read back from the finished file, with the text that was checked; nothing here can draw one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.channels import Channel
from domain.notice_body import ApprovedBody, common_text
from domain.notice_check_rules import RULES, Fault, Part
from domain.notice_content import NoticeContext, NoticeKind
from domain.notice_enclosure import Enclosed, EnclosureError, carries_facts, carries_files
from domain.notice_facts import SHOWN, own_words
from domain.notice_kinds import LADDER_KINDS
from domain.notice_machine import facts_of
from domain.notice_rules import Words

MACHINE: Final = "machine_facts"
"""Element: the notice as data says what the record says."""
LETTER: Final = "letter"
"""Element: the PDF holds the checked text, whole and unchanged."""
SHEET: Final = "own_sheet"
"""Element: the sheet behind the letter shows the recipient's own values in harmless words."""
_NEVER: Final = ("no_foreign_lot", "no_reassurance", "no_promotion")
_ON_THE_SHEET: Final = (
    *("link", "recipient_name", "respond_by"),
    *("lot.number", "lot.quantity", "lot.serials", "lot.expires_on"),
)
_ADDRESS: Final = re.compile(r"https?://|www\.|@")
_CODE_POINT: Final = re.compile(r"\[U\+([0-9A-F]{4,5})\]")
_AROUND: Final = 30
"""Characters shown of a place where letter and text differ."""


@dataclass(frozen=True, slots=True)
class ReadLetter:
    """What the PDF of a body says, read from the file that the check's recipient would get."""

    letter: str
    """Text of the approved pages."""
    sheet: str
    """Text of the pages behind them."""
    fault: str = ""
    """Why the file could not be read."""


@dataclass(frozen=True, slots=True)
class Enclosing:
    """What a body's files are checked with."""

    bodies: Sequence[ApprovedBody]
    """All bodies of the notice."""
    letters: Mapping[str, ReadLetter]
    """By the hash of the body that holds the letter."""
    context: NoticeContext
    other_lots: frozenset[str]


def enclosure_faults(body: ApprovedBody, words: Words, along: Enclosing) -> Iterator[Fault]:
    """What is missing or wrong in the files of a body; each fault names its element."""
    enclosed, broken = _read(body)
    if broken:
        yield Fault(f"what is enclosed cannot be read: {broken}", f"附件内容无法读取：{broken}", MACHINE)
        return
    if carries_facts(NoticeKind(body.kind), body.channel) and enclosed is None:
        yield Fault("the notice as data is missing", "缺少供系统读取的通知数据", MACHINE)
    if enclosed is not None:
        yield from _facts(body, enclosed, along.context)
    if carries_files(NoticeKind(body.kind), body.channel):
        yield from _letter(body, enclosed, along)
        yield from _sheet_words(body, enclosed, words, along)


def _read(body: ApprovedBody) -> tuple[Enclosed | None, str]:
    if body.enclosed is None:
        return None, ""
    try:
        return Enclosed.from_json(body.enclosed), ""
    except EnclosureError as error:
        return None, f"{error}"


def _facts(body: ApprovedBody, enclosed: Enclosed, context: NoticeContext) -> Iterator[Fault]:
    """Field by field as recorded."""
    stated = enclosed.facts.model_dump(mode="json")
    recorded = facts_of(NoticeKind(body.kind), body.language, context).model_dump(mode="json")
    wrong = ", ".join(sorted(field for field in {*recorded, *stated} if stated.get(field) != recorded.get(field)))
    if wrong:
        yield Fault(f"not as recorded: {wrong}", f"与记录不符：{wrong}", MACHINE)


def _letter(body: ApprovedBody, enclosed: Enclosed | None, along: Enclosing) -> Iterator[Fault]:
    """The body has a letter of its own, or goes out with the one of the first notice in its language."""
    kind = NoticeKind(body.kind)
    of = enclosed.letter_of if enclosed else None
    fitting = {kind, NoticeKind.INITIAL} if kind in LADDER_KINDS else {kind}
    if enclosed is None or of is None:
        yield Fault("the letter (PDF) is missing", "缺少 PDF 信函", LETTER)
    elif of not in fitting:
        text = f"goes out with the letter of another kind, {of.value}"
        yield Fault(text, f"附的是另一类通知（{of.value}）的信函", LETTER)
    elif of is kind:
        yield from _own_letter(body, enclosed, along)
    elif not any(_holds_letter(each, of, body) for each in along.bodies):
        text = f"the letter of the {of.value} notice, which goes along, is missing"
        yield Fault(text, f"缺少随附的 {of.value} 通知信函", LETTER)


def _holds_letter(each: ApprovedBody, of: NoticeKind, like: ApprovedBody) -> bool:
    same = (each.kind, each.channel, each.language) == (of.value, like.channel, like.language)
    return same and bool((each.enclosed or {}).get("letter"))


def _own_letter(body: ApprovedBody, enclosed: Enclosed, along: Enclosing) -> Iterator[Fault]:
    read = along.letters.get(body.sha256)
    if enclosed.letter is None:
        yield Fault("the letter (PDF) is missing", "缺少 PDF 信函", LETTER)
        return
    if read is None or read.fault:
        fault = read.fault if read else "not read"
        yield Fault(f"the letter (PDF) cannot be judged: {fault}", f"PDF 信函无法核对：{fault}", LETTER)
        return
    wanted, found = _bare(common_text(body)), _bare(read.letter)
    if wanted != found:
        at = next((i for i, (one, two) in enumerate(zip(wanted, found, strict=False)) if one != two), None)
        start = max((min(len(wanted), len(found)) if at is None else at) - _AROUND // 2, 0)
        here, there = wanted[start : start + _AROUND], found[start : start + _AROUND]
        yield Fault(
            f"the letter (PDF) is not the text: {there!r} where the text says {here!r}",
            f"PDF 信函与正文不一致：信函为“{there}”，正文为“{here}”",
            LETTER,
        )
    sheet = _bare(read.sheet)
    gone = [slot for slot in _ON_THE_SHEET if not all(_bare(value) in sheet for value in SHOWN[slot])]
    if gone:
        slots = ", ".join(gone)
        yield Fault(f"the recipient's own sheet does not show {slots}", f"收件方附页未显示：{slots}", SHEET)


def _bare(text: str) -> str:
    """Without white space: lines break elsewhere on paper. A character the font lacks stands as its code point."""
    return _CODE_POINT.sub(lambda found: chr(int(found.group(1), 16)), "".join(text.split()))


def _sheet_words(body: ApprovedBody, enclosed: Enclosed | None, words: Words, along: Enclosing) -> Iterator[Fault]:
    """The words beside a recipient's values say nothing that a notice may not say."""
    if enclosed is None or enclosed.words is None:
        yield Fault("the words of the recipient's own sheet are missing", "缺少收件方附页的文字", SHEET)
        return
    text = "\n".join(str(value) for value in enclosed.words.model_dump().values())
    own = own_words(text, along.context, body.language, words)
    part = Part(
        "enclosed",
        NoticeKind(body.kind),
        Channel(body.channel),
        body.language,
        text,
        text,
        along.context,
        words,
        text,
        own,
        along.other_lots,
    )
    for rule in _NEVER:
        for fault in RULES[rule](part):
            yield Fault(f"own sheet: {fault.text}", f"收件方附页：{fault.text_zh}", rule)
    for found in sorted({match.group() for match in re.finditer(words.class_pattern, own)}):
        yield Fault(f"own sheet: names a class: {found!r}", f"收件方附页：提及级别“{found}”", "classification")
    if _ADDRESS.search(text):
        yield Fault("own sheet: its words hold an address", "收件方附页：文字中含有地址", SHEET)


__all__ = ["LETTER", "MACHINE", "SHEET", "Enclosing", "ReadLetter", "enclosure_faults"]
