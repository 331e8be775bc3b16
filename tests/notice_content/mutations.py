"""Spoiling a good body: for each element a way to take it out or falsify it, derived from its own rule data."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from domain.channels import Channel
from domain.notice_body import ApprovedBody
from domain.notice_content import NoticeContext
from domain.notice_facts import FACTS
from domain.notice_rules import Element, Words

Spoil = Callable[[str], str]
WRONG = "Wrong-Value"


def _pieces(wording: Any) -> tuple[str, ...]:
    return (wording,) if isinstance(wording, str) else tuple(wording)


def without(*values: str, instead: str = WRONG) -> Spoil:
    """Take values out wherever they stand, escaped or not, whatever the white space and case."""

    def spoil(source: str) -> str:
        for value in values:
            for form in {value, html.escape(value)}:
                pattern = r"\s+".join(re.escape(word) for word in form.split())
                source = re.sub(pattern, lambda _: instead, source, flags=re.IGNORECASE)
        return source

    return spoil


def added(sentence: str) -> Spoil:
    """Put a sentence behind everything a reader sees."""
    return lambda source: (
        source.replace("</body>", f"<p>{html.escape(sentence)}</p></body>")
        if "</body>" in source
        else f"{source} {sentence}"
    )


def slot_gone(*names: str) -> Spoil:
    """Take slots out."""
    return lambda source: re.sub("|".join(re.escape(f"⟦{name}⟧") for name in names), WRONG, source)


def spoil_of(element: Element, words: Words, context: NoticeContext, language: str, channel: Channel) -> list[Spoil]:
    """Every way to spoil an element in a body; none where the record has nothing of it."""
    if element.fact is not None:
        values = FACTS[element.fact](context, language)
        return [_fact(element, value) for value in values]
    if element.phrase is not None:
        return [without(*_said(element.phrase, words, context))]
    if element.slot is not None:
        return [slot_gone(element.slot)]
    return _rule(str(element.rule), words, context, language, channel)


def _fact(element: Element, value: str) -> Spoil:
    wanted = value[: element.lead] if element.lead else value
    if element.fact == "replaced_version":
        return lambda source: re.sub(r"(version|versión|至第|第) 4", r"\1 7", source)
    return without(wanted)


def _said(phrase: str, words: Words, context: NoticeContext) -> list[str]:
    table = {"handling": words.handling.get(context.market_action.value), "depth": words.depth[context.depth.value]}
    wordings = table.get(phrase) or words.phrases.get(phrase) or words.handling["removal"]
    return [piece for wording in wordings for piece in _pieces(wording)]


def _rule(rule: str, words: Words, context: NoticeContext, language: str, channel: Channel) -> list[Spoil]:
    first, change = context.products[0].lots, context.change
    other = next(name for name in ("correction", "fsca") if name != context.market_action.value)
    own = {Channel.EMAIL: ["lot.number"], Channel.WEBHOOK: ["lot.quantity"]}.get(channel, ["lots_brief", "link"])
    strange = {"en": "Class IV", "zh-CN": "三级召回", "es": "clase IV"}[language]
    lot_word = {"en": "lot", "zh-CN": "批号", "es": "lote"}[language]
    ways: dict[str, list[Spoil]] = {
        "marking": [without(*words.phrases["urgent"], instead="")],  # type: ignore[arg-type]
        "action": [without(*_pieces(words.actions["removal"][0]), instead=" ".join(_pieces(words.actions[other][0])))],
        "drill": [without(*words.phrases["drill"], instead="")],  # type: ignore[arg-type]
        "lots": [without(first[0] + words.separator, instead=""), without(first[-1]), without("(3)", "（3 个）")],
        "classification": [added(strange)],
        "own_lots": [slot_gone(*own)],
        "no_foreign_lot": [added("SCMS-99-IE"), added(f"{lot_word} ZZ-4711")],
        "no_reassurance": [added(word) for word in (words.reassurance.refused[0], words.reassurance.flagged[0])],
        "no_strange_value": [added("2031-12-24"), added("+1 202 555 0199")],
        "readable": [added("n\u043e"), added("ri\u200bsk")],
        "no_promotion": [added(word) for word in (words.promotion.refused[0], words.promotion.flagged[0])],
    }
    if change is not None:
        ways["lots_changed"] = [without(change.removed[0].lots[1])]
        ways["class_changed"] = [lambda source: re.sub(r"\bII\b|二级", "V", source)]
    return ways.get(rule, [])


def applied(body: ApprovedBody, spoil: Spoil) -> ApprovedBody:
    """The body with every part spoilt."""
    return replace(
        body,
        subject=spoil(body.subject) if body.subject is not None else None,
        text=spoil(body.text),
        html=spoil(body.html) if body.html is not None else None,
    )
