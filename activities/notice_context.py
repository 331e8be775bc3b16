"""The facts of a notice, read from the record: the recall, what is affected now, and what the notice changes.

What changed is counted from the last notice that was sent, so that changes whose draft never went out are not lost.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.exceptions import ApplicationError

from db.repositories import notice_facts, notices, recalls
from db.repositories.notices import ProductLots
from domain.levels import MarketAction, RecallClass, strictest
from domain.notice_content import (
    Depth,
    NoticeChange,
    NoticeContext,
    NoticeLevel,
    NoticeLots,
    NoticeProduct,
    NoticeSource,
    NoticeTexts,
)
from models.messages import DraftNotice
from models.notice import Notice
from models.recall import ClassDecision, Recall
from settings import Settings

EU: Final = "eu-mdr"
"""The law under which a notice names the manufacturer's single registration number (MDR Art. 89(8))."""
_DEPTH = {
    "wholesale": Depth.WHOLESALE,
    "retail": Depth.RETAIL,
    "user_facility": Depth.USER,
    "patient": Depth.USER,
}
_SEVEREST = (MarketAction.REMOVAL, MarketAction.FSCA, MarketAction.CORRECTION)
"""Where lines or jurisdictions differ, the notice asks for the action that takes most off the market."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a notice changes: as its texts say it, and as the record keeps it."""

    kind: str
    """What the notice is: an amendment that leaves nobody with a lot is a retraction."""
    texts: NoticeChange
    stored: dict[str, Any]


async def change_of(session: AsyncSession, draft: DraftNotice, scope_version: int) -> Changed | None:
    """What an amendment or retraction changes against the last notice sent; None for the first notice and the last.

    Raises:
        ApplicationError: `InvalidInput` when no notice was sent that could be changed.
    """
    if draft.kind in ("initial", "closure"):
        return None
    before = await notices.sent(session, draft.number)
    if not before:
        raise ApplicationError(f"{draft.kind}: no notice of this recall has been sent yet", type="InvalidInput")
    last = before[0]
    since = last.scope_version
    added, removed, told = await notices.changed_lots(session, draft.number, since, scope_version)
    whole = draft.kind == "retraction"
    if whole:
        added, removed = [], sorted({*removed, *told})
    classes = None if whole else await _class_change(session, draft, last)
    texts = NoticeChange(
        replaces_version=last.version,
        added=_listed(await notices.products_of(session, added)),
        removed=_listed(await notices.products_of(session, removed)),
        class_from=RecallClass(classes[0]) if classes else None,
        class_to=RecallClass(classes[1]) if classes else None,
        whole=whole,
    )
    nothing_left = not whole and not added and not told
    stored = {"since": since, "lots_added": added, "lots_removed": removed, "class": classes, "whole": whole}
    return Changed("retraction" if whole or nothing_left else "amendment", texts, stored)


async def _class_change(session: AsyncSession, draft: DraftNotice, last: Notice) -> list[str] | None:
    """From the class of the last notice sent to the one now; a change whose draft was replaced still counts."""
    unsent = [each for each in await notices.drafts_after(session, draft.number, last.version) if each.change]
    steps = [list(each.change["class"]) for each in unsent if each.change and each.change.get("class")]
    steps += [list(draft.class_change)] if draft.class_change else []
    if not steps or steps[0][0] == steps[-1][1]:
        return None
    return [steps[0][0], steps[-1][1]]


def _listed(products: list[ProductLots]) -> tuple[NoticeLots, ...]:
    return tuple(NoticeLots(product=product.name, lots=tuple(lots)) for product, _, lots in products)


async def context_of(
    session: AsyncSession,
    recall: Recall,
    settings: Settings,
    draft: DraftNotice,
    changed: Changed | None,
    laws: tuple[NoticeSource, ...] = (),
) -> NoticeContext:
    """Everything the templates of one notice version may say.

    Args:
        laws: what obliges a distributor to recall from its own customers.

    Raises:
        ApplicationError: `InvalidInput` when there is nothing to give notice of.
    """
    products = await notices.affected_products(session, recall.number)
    if not products and changed is not None:
        products = await notices.products_of(session, changed.stored["lots_removed"])
    expiry = await notice_facts.expiry_of(session, [product.id or 0 for product, _, _ in products])
    classes = await _classes(session, recall)
    if not products or not classes:
        raise ApplicationError("no affected product reached a consignee, or no class is approved", type="InvalidInput")
    strategy = await notices.signed_strategy(session, recall.number)
    shipped_from, shipped_until = await notices.distribution_window(session, recall.number)
    actions = {MarketAction(row.market_action) for row in classes}
    by_line = _class_of_line(classes)
    texts = {language: NoticeTexts(**each) for language, each in recall.translations.items()}
    return NoticeContext(
        recall_no=recall.number,
        version=draft.version,
        drill=recall.drill,
        issued_on=draft.now.date(),
        recall_class=strictest(RecallClass(row.recall_class) for row in classes) or RecallClass.I,
        market_action=next((action for action in _SEVEREST if action in actions), sorted(actions)[0]),
        levels=await _levels(session, recall.number, classes),
        products=tuple(_product(found, expiry, by_line) for found in products),
        distributed_from=_day(shipped_from),
        distributed_until=_day(shipped_until),
        depth=_DEPTH[strategy.depth] if strategy else Depth.USER,
        texts=NoticeTexts(reason=recall.reason, hazard=recall.hazard),
        texts_language=recall.texts_language,
        translations=texts,
        change=changed.texts if changed else None,
        firm_name=settings.company_name,
        firm_phone=settings.company_phone,
        firm_email=settings.company_email,
        sub_recall_laws=laws,
        manufacturer_srn=(settings.eu_srn or None) if EU in recall.jurisdictions else None,
    )


async def _classes(session: AsyncSession, recall: Recall) -> list[ClassDecision]:
    """Classes of the product lines that are in the scope now; a line that left it says nothing more."""
    every = await notices.approved_classes(session, recall.number)
    lines = {line.key for line in await recalls.product_lines(session, recall.number, recall.scope_version)}
    return [row for row in every if row.product_line in lines] or every


async def _levels(session: AsyncSession, number: str, classes: list[ClassDecision]) -> tuple[NoticeLevel, ...]:
    """Each level once, as the policy pinned by the recall names it in both languages."""
    policies = {policy.id: policy for policy in await recalls.pinned(session, number)}
    return tuple(
        NoticeLevel(
            jurisdiction=jurisdiction,
            term=policies[jurisdiction].level(level).term,
            term_zh=policies[jurisdiction].level(level).term_zh,
        )
        for jurisdiction, level in sorted({(row.jurisdiction, row.level) for row in classes})
    )


def _class_of_line(classes: list[ClassDecision]) -> dict[str, RecallClass | None]:
    """The strictest class of each product line."""
    lines = {row.product_line for row in classes}
    return {
        line: strictest(RecallClass(row.recall_class) for row in classes if row.product_line == line) for line in lines
    }


def _product(
    found: ProductLots, expiry: dict[int, dict[str, date]], classes: dict[str, RecallClass | None]
) -> NoticeProduct:
    product, maker, lots = found
    known = expiry.get(product.id or 0, {})
    return NoticeProduct(
        name=product.name,
        code=product.code,
        gtin=product.gtin,
        udi_di=product.udi_di,
        manufacturer=maker,
        unit=product.unit_of_use,
        recall_class=classes.get(product.code if product.family is None else product.family),
        expiry={lot: known[lot] for lot in lots if lot in known},
        lots=tuple(lots),
    )


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


__all__ = ["Changed", "change_of", "context_of"]
