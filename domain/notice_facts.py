"""The record's values as a notice must print them, and the recipient that a check fills a body with.

Nothing here is taken from a template: the values come from the facts of the notice and, where a language has its own
way of writing a list, from that language's words.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.notice_content import NoticeContext, RecipientLot, RecipientSite, RecipientValues
from domain.notice_machine import MAX_LOTS
from domain.notice_rules import Words
from domain.notice_visible import MASK, finder, folded, masked, without_starts

NUMERAL: Final = re.compile(r"[0-9]{1,3}|[IVX]{1,4}", re.IGNORECASE)
"""What is no value by itself: it may as well be the number of a heading, or of a class."""
PROBE_LINK: Final = "https://answer.invalid/r/PROBE-LINK"
PROBE: Final = RecipientValues(
    recipient_name="PROBE-RECIPIENT",
    contact_name="PROBE-CONTACT",
    lots=(
        RecipientLot(
            product="PROBE-PRODUCT",
            gtin="09506000134352",
            udi_di="PROBE-UDI",
            lot="PROBE-LOT",
            quantity=Decimal("73019"),
            unit="PROBE-UNIT",
            shipped_on=date(2031, 4, 9),
            expires_on=date(2031, 5, 17),
            serials=("PROBE-SERIAL",),
            site="PROBE-SITE",
        ),
    ),
    link=PROBE_LINK,
    respond_by=datetime(2031, 6, 21, 13, 47, tzinfo=UTC),
    first_notice_on=date(2031, 3, 8),
    added_lots=("PROBE-ADDED",),
    removed_lots=("PROBE-REMOVED",),
    distributor=True,
    answer_stands=True,
    sites=(RecipientSite(name="PROBE-SITE", delivery_id=UUID(int=0), link=PROBE_LINK, lots=()),),
)
"""A recipient with a value in every slot; each is found again where it was shown."""
BARE: Final = RecipientValues(recipient_name="", lots=(), link=PROBE_LINK)
"""One with nothing but its link: what is left is what every recipient sees."""
SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "link": (PROBE_LINK,),
    "respond_by": ("2031-06-21 13:47",),
    "recipient_name": ("PROBE-RECIPIENT",),
    "lots_brief": ("PROBE-LOT (73019)",),
    "lot.number": ("PROBE-LOT",),
    "lot.quantity": ("73019",),
    "lot.serials": ("PROBE-SERIAL",),
    "lot.expires_on": ("2031-05-17",),
}
"""Slot -> what a body that shows it holds."""
_PROBED: Final = (
    *("PROBE-CONTACT", "PROBE-PRODUCT", "PROBE-UNIT", "PROBE-ADDED", "PROBE-REMOVED", "PROBE-UDI"),
    "PROBE-SITE",
    *("09506000134352", "2031-04-09", "2031-03-08"),
)


def _dates(context: NoticeContext) -> list[str]:
    return [day.isoformat() for day in (context.distributed_from, context.distributed_until) if day]


def _expiry(context: NoticeContext) -> list[str]:
    return [
        f"{lot} {day.isoformat()}"
        for product in context.products
        if len(product.lots) <= MAX_LOTS
        for lot, day in product.expiry.items()
    ]


def _of_products(field: str) -> Callable[[NoticeContext, str], list[str]]:
    def values(context: NoticeContext, _: str) -> list[str]:
        return [value for product in context.products if (value := getattr(product, field))]

    return values


def _terms(context: NoticeContext, language: str) -> list[str]:
    chinese = language.casefold().startswith("zh")
    return [level.term_zh if chinese else level.term for level in context.levels]


FACTS: Final[Mapping[str, Callable[[NoticeContext, str], list[str]]]] = {
    "recall_no": lambda context, _: [context.recall_no],
    "version": lambda context, _: [str(context.version)],
    "issued_on": lambda context, _: [context.issued_on.isoformat()],
    "product_name": _of_products("name"),
    "first_product": lambda context, _: [context.products[0].name],
    "product_code": _of_products("code"),
    "gtin": _of_products("gtin"),
    "udi_di": _of_products("udi_di"),
    "manufacturer": _of_products("manufacturer"),
    "manufacturer_srn": lambda context, _: [context.manufacturer_srn] if context.manufacturer_srn else [],
    "distribution_dates": lambda context, _: _dates(context),
    "expiry": lambda context, _: _expiry(context),
    "levels": _terms,
    "reason": lambda context, language: [context.texts_in(language).reason],
    "hazard": lambda context, language: [context.texts_in(language).hazard],
    "instructions": lambda context, language: list(context.texts_in(language).instructions),
    "firm_name": lambda context, _: [context.firm_name],
    "firm_phone": lambda context, _: [context.firm_phone],
    "firm_email": lambda context, _: [context.firm_email],
    "replaced_version": lambda context, _: [str(context.change.replaces_version)] if context.change else [],
}
"""Fact -> every value a notice in a language must print of it; none where the record has none."""


def lists_of(context: NoticeContext, words: Words) -> list[str]:
    """Every list of lots as a notice prints it."""
    change = context.change
    every = [product.lots for product in context.products]
    every += [each.lots for each in (*change.added, *change.removed)] if change else []
    return [words.separator.join(lots) for lots in every if 0 < len(lots) <= MAX_LOTS]


def own_words(text: str, context: NoticeContext, language: str, words: Words) -> str:
    """What a body says in its own words, as words are compared: look-alikes folded, nothing hidden in it."""
    return folded(written_words(text, context, language, words))


def written_words(text: str, context: NoticeContext, language: str, words: Words) -> str:
    """What a body says in its own words: without the record's values and the recipient's."""
    change = context.change
    products = [product.name for product in context.products]
    products += [each.product for each in (*change.added, *change.removed)] if change else []
    people = [context.firm_name, *([context.contact_name] if context.contact_name else [])]
    every = [value for read in FACTS.values() for value in read(context, language)]
    every += [value for values in SHOWN.values() for value in values]
    every += [*_PROBED, *lists_of(context, words), *products, *people]
    every += [level.jurisdiction for level in context.levels]
    # A bare number or numeral is no value by itself: taken out everywhere, "1" would take the class out of "Class 1".
    text = masked(text, [each for each in every if not NUMERAL.fullmatch(each.strip())])
    for label in words.phrases["lots_label"]:
        text = _without_counts(text, label if isinstance(label, str) else label[0], context)
    for name in sorted({*products, *people}, key=len, reverse=True):
        text = without_starts(text, name)
    return text


def _without_counts(text: str, label: str, context: NoticeContext) -> str:
    for count in counts_of(context):
        text = finder(count, after=label).sub(f" {MASK} ", text)
    return text


def counts_of(context: NoticeContext) -> list[str]:
    """Numbers of lots that stand instead of a list too long to print."""
    change = context.change
    every = [len(product.lots) for product in context.products]
    every += [len(each.lots) for each in (*change.added, *change.removed)] if change else []
    return [str(count) for count in every if count > MAX_LOTS]


def scope_lots(context: NoticeContext) -> frozenset[str]:
    """Lots a notice may name: those in scope, and those its change speaks of."""
    change = context.change
    named = [lot for product in context.products for lot in product.lots]
    named += [lot for each in (*change.added, *change.removed) for lot in each.lots] if change else []
    return frozenset(named)


__all__ = [
    "BARE",
    "FACTS",
    "NUMERAL",
    "PROBE",
    "PROBE_LINK",
    "SHOWN",
    "counts_of",
    "lists_of",
    "own_words",
    "scope_lots",
    "written_words",
]
