"""One recall with every fact a notice may have to print, and the bodies made of it by the shipped templates."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from activities.enclosures import sheet_words
from activities.notice_content_rules import load_rules
from activities.notice_rendering import TEMPLATES, NoticeRenderer
from domain.channels import Channel
from domain.levels import MarketAction, RecallClass
from domain.notice_body import ApprovedBody, common_text
from domain.notice_check import Check, check_notice
from domain.notice_content import NoticeChange, NoticeContext, NoticeKind, NoticeLevel, NoticeLots, NoticeProduct
from domain.notice_enclosure import Enclosed, StoredLetter, carries_facts, carries_files
from domain.notice_enclosure_check import ReadLetter
from domain.notice_facts import SHOWN
from domain.notice_kinds import LADDER_KINDS
from domain.notice_machine import facts_of
from tests.messaging.notices import CONTEXT, PRODUCT

RULES = load_rules()
RENDERER = NoticeRenderer()
LAWS = (*RULES.jurisdictions, "xx-unknown")
"""Every law with a list, and one that gets the house's."""
SECOND = NoticeProduct(
    name="Reader for Uni-Gold, model R2",
    code="RDR-2",
    gtin="05391516740029",
    udi_di="05391516740036",
    manufacturer="Second Maker GmbH",
    lots=("R2-0007", "R2-0008"),
    expiry={"R2-0007": date(2027, 1, 31)},
)
FACTS = CONTEXT.model_copy(
    update={
        "products": (PRODUCT, SECOND),
        "manufacturer_srn": "IE-MF-000012345",
        "levels": tuple(
            NoticeLevel(jurisdiction=law, term=term, term_zh=zh)
            for law, term, zh in (
                ("us-fda", "Class I", "I 级"),
                ("cn-nmpa", "Level 1 recall", "一级召回"),
                ("ca-hc", "Type I", "I 类"),
            )
        ),
    }
)
CHANGE = NoticeChange(
    replaces_version=4,
    added=(NoticeLots(product=SECOND.name, lots=("R2-0008",)),),
    removed=(NoticeLots(product=PRODUCT.name, lots=("SCMS-07-IE", "SCMS-08-IE")),),
    class_from=RecallClass.II,
    class_to=RecallClass.I,
)
CHANGED = FACTS.model_copy(update={"version": 5, "change": CHANGE})
OTHERS = frozenset({"SCMS-99-IE", "R2-0099"})
"""Lots on record that are not under recall."""


def context_of(kind: NoticeKind) -> NoticeContext:
    """The facts a body of this kind is made of."""
    return CHANGED if kind in (NoticeKind.AMENDMENT, NoticeKind.RETRACTION) else FACTS


def rendered(kind: NoticeKind, channel: Channel, language: str, context: NoticeContext | None = None) -> ApprovedBody:
    """A good body."""
    return RENDERER.render_for_approval(kind, channel, language, context or context_of(kind))


def with_files(bodies: Sequence[ApprovedBody], context: NoticeContext) -> list[ApprovedBody]:
    """The bodies with what belongs to them, but for the drawing: their letters are no PDFs."""
    there = {(body.kind, body.channel, body.language) for body in bodies}
    out = []
    for body in bodies:
        kind = NoticeKind(body.kind)
        if body.enclosed is not None or not carries_facts(kind, body.channel):
            out.append(body)
            continue
        enclosed = Enclosed(facts=facts_of(kind, body.language, context))
        if carries_files(kind, body.channel):
            first = (NoticeKind.INITIAL, body.channel, body.language) in there
            of = NoticeKind.INITIAL if kind in LADDER_KINDS and first else kind
            letter = StoredLetter.of(b"letter", {}) if of is kind else None
            words = sheet_words(TEMPLATES, body.language)
            enclosed = enclosed.model_copy(update={"words": words, "letter_of": of, "letter": letter})
        out.append(replace(body, enclosed=enclosed.as_json()))
    return out


def check_all(
    bodies: Sequence[ApprovedBody],
    context: NoticeContext,
    laws: Sequence[str] = LAWS,
    others: frozenset[str] = OTHERS,
) -> Check:
    """The check of bodies whose files are as good as they are, so that it judges the bodies alone."""
    along = with_files(bodies, context)
    sheet = " ".join(value for values in SHOWN.values() for value in values)
    letters = {body.sha256: ReadLetter(common_text(body), sheet) for body in along}
    return check_notice(along, context, laws, RULES, others, letters)


def checked(body: ApprovedBody, context: NoticeContext, laws: tuple[str, ...] = LAWS) -> Check:
    """The check of one body; laws whose language it is not do not complain about it."""
    found = check_all([body], context, laws)
    return replace(found, refusals=tuple(each for each in found.refusals if not each.body.startswith("*/")))


def changed(context: NoticeContext, **changes: Any) -> NoticeContext:
    """The facts with others."""
    return NoticeContext.model_validate({**context.model_dump(), **changes})


def with_action(context: NoticeContext, action: MarketAction) -> NoticeContext:
    """The facts under another market action."""
    return context.model_copy(update={"market_action": action})
