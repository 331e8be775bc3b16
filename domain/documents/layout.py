"""A draft as something to read: headings, texts and tables in one language, still without any markup.

HTML and PDF are made from the same layout, so both say the same. Open fields stand in their place and once more in the
list at the end, with who owes them, why and until when.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from domain.documents.form import Column, abouts, columns, is_empty, row_type
from domain.documents.kinds import Draft
from domain.documents.words import word
from domain.mass_balance import plain
from domain.visible_text import without_hidden

_CODED: Final = frozenset({"action", "severity", "kind", "state", "basis", "step", "channel", "decided", "outcome"})
"""Columns and fields whose texts are codes of ours."""
_LABELS: Final = {
    "en": {
        "recall": "Recall",
        "authority": "Authority",
        "recipient": "Recipient",
        "obligation": "Obligation",
        "law": "Contents per",
        "drafted_on": "Date",
        "firm": "Firm",
        "policy": "Rules in force",
        "missing": "Missing information",
        "missing_intro": "Not available at present; each is supplied as stated (21 CFR 806.10(c)(13), MDR Art. 87(6)).",
        "field": "Field",
        "owes": "Owed by",
        "why": "Why",
        "expected": "Expected on",
        "open": "MISSING",
        "none": "None",
        "drill": "DRILL - NOT A REAL RECALL - NEVER SUBMIT",
        "nobody": "not stated yet",
        "yes": "yes",
        "no": "no",
    },
    "zh-CN": {
        "recall": "召回编号",
        "authority": "监管部门",
        "recipient": "接收单位",
        "obligation": "报告义务",
        "law": "内容依据",
        "drafted_on": "日期",
        "firm": "企业",
        "policy": "适用规则",
        "missing": "缺少的信息",
        "missing_intro": "以下信息目前尚缺，将按所述时间补充。",
        "field": "项目",
        "owes": "负责职能",
        "why": "原因",
        "expected": "预计补充日期",
        "open": "缺少",
        "none": "无",
        "drill": "演练——非真实召回——不得提交",
        "nobody": "尚未说明",
        "yes": "是",
        "no": "否",
    },
}
LANGUAGES: Final = tuple(_LABELS)


@dataclass(frozen=True, slots=True)
class Table:
    """Column titles and rows of texts."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One field: where it stands in the form, its title, and a text or a table; `part` opens a new part."""

    place: str
    title: str
    text: str | None = None
    table: Table | None = None
    open: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole document."""

    language: str
    title: str
    subtitle: str
    drill: str | None
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    missing_title: str
    missing_intro: str
    missing: Table | None


def layout(draft: Draft, language: str | None = None) -> Layout:
    """The draft in its own language (the authority's), or in another one of `LANGUAGES`."""
    shown = language or draft.head.language
    if shown not in _LABELS:
        raise ValueError(f"language: expected one of {', '.join(LANGUAGES)}, got {shown!r}")
    words, chinese = _LABELS[shown], shown == "zh-CN"
    head = draft.head
    facts = (
        ("recall", head.recall),
        ("firm", head.firm),
        ("authority", head.authority_zh if chinese else head.authority),
        ("recipient", head.recipient or "-"),
        ("obligation", f"{head.obligation_title_zh if chinese else head.obligation_title} ({head.obligation})"),
        ("law", head.law),
        ("drafted_on", head.drafted_on.isoformat()),
        ("policy", head.policy),
    )
    return Layout(
        language=shown,
        title=clean(head.title_zh if chinese else head.title),
        subtitle=clean(head.title if chinese else head.title_zh),
        drill=words["drill"] if head.drill else None,
        facts=tuple((words[key], clean(value)) for key, value in facts),
        blocks=tuple(_block(draft, name, shown) for name in abouts(type(draft.document))),
        missing_title=words["missing"],
        missing_intro=words["missing_intro"],
        missing=_missing(draft, words, chinese) if draft.missing else None,
    )


def _block(draft: Draft, name: str, language: str) -> Block:
    words, chinese = _LABELS[language], language == "zh-CN"
    about = abouts(type(draft.document))[name]
    value = getattr(draft.document, name)
    part = about.part.split(" / ")[1 if chinese else 0] if about.part else ""
    title = about.title_zh if chinese else about.title
    if is_empty(value):
        nothing = name in draft.nothing
        text = words["none"] if nothing else f"[{words['open']}]"
        return Block(about.place, title, text=text, open=not nothing, part=part)
    row = row_type(type(draft.document), name)
    if row is None:
        return Block(about.place, title, text=_shown(value, language, coded=name in _CODED), part=part)
    shown = columns(row)
    table = Table(
        tuple(_title(each, chinese) for each in shown.values()),
        tuple(
            tuple(_shown(getattr(each, column), language, coded=column in _CODED) for column in shown) for each in value
        ),
    )
    return Block(about.place, title, table=table, part=part)


def _title(column: Column, chinese: bool) -> str:
    return column.title_zh if chinese else column.title


def _missing(draft: Draft, words: dict[str, str], chinese: bool) -> Table:
    rows = tuple(
        (
            each.place,
            clean(each.title_zh if chinese else each.title),
            each.owes.value.replace("_", " "),
            clean(each.why),
            each.expected_on.isoformat() if each.expected_on else ("-" if each.explained else words["nobody"]),
        )
        for each in draft.missing
    )
    return Table(("", words["field"], words["owes"], words["why"], words["expected"]), rows)


def _shown(value: Any, language: str, *, coded: bool) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return _LABELS[language]["yes" if value else "no"]
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return plain(value)
    text = str(value)
    return clean(word(text, language) if coded else text)


def clean(text: str) -> str:
    """Text as it is read: no controls, no characters that reorder or hide others."""
    return without_hidden(text.replace("\r\n", "\n"), keep="\n")


__all__ = ["LANGUAGES", "Block", "Layout", "Table", "clean", "layout"]
