"""The facts of a notice against the record, read a second time by other queries than those the notice was drafted from.

A body that agrees with wrongly read facts would pass every other test: a lot that the drafting query lost is missing in
the notice and in what it is compared with. So identity, lots, expiry, texts and class are read again and compared here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from domain.notice_content import NoticeContext, NoticeProduct, NoticeTexts
from domain.notice_part import Fault
from domain.visible_text import visible

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class RecordedLot:
    """One lot under recall at some consignee."""

    number: str
    site: str | None
    expires_on: date | None
    """None as well where another site gave the number to a lot of another date: a notice then prints none."""


@dataclass(frozen=True, slots=True)
class RecordedProduct:
    """One product with lots at consignees."""

    name: str
    gtin: str | None
    udi_di: str | None
    lots: tuple[RecordedLot, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the record says, by the code of each product."""

    products: Mapping[str, RecordedProduct]
    reason: str
    hazard: str
    translations: Mapping[str, Mapping[str, object]]
    classes: frozenset[str]
    """Classes in force of any product line."""


def record_faults(context: NoticeContext, recorded: Recorded) -> Iterator[Fault]:
    """Where the facts a notice was drafted from are not those of the record; each fault names its element."""
    if recorded.products:  # with none left the notice retracts lots, which its change lists
        yield from _products(context, recorded)
    if context.recall_class.value not in recorded.classes:
        yield _fault("classification", f"class {context.recall_class.value}", "级别")
    texts = {context.texts_language: {"reason": recorded.reason, "hazard": recorded.hazard}, **recorded.translations}
    drafted = {context.texts_language: context.texts, **context.translations}
    for language in sorted({*texts, *drafted}):
        wanted = NoticeTexts.model_validate(texts[language]) if language in texts else None
        given = drafted.get(language)
        for name in ("reason", "hazard"):
            if getattr(given, name, None) != getattr(wanted, name, None):
                yield _fault(name, f"{name} in {language}", f"{language} 文本")


def _products(context: NoticeContext, recorded: Recorded) -> Iterator[Fault]:
    drafted = {product.code: product for product in context.products}
    for code in sorted({*map(str, drafted), *(visible(each) for each in recorded.products)}):
        product = drafted.get(code)
        known = next((each for own, each in recorded.products.items() if visible(own) == code), None)
        if product is None or known is None:
            yield _fault("product_name", f"product {code}", f"产品 {code}")
        else:
            yield from _product(code, product, known)


def _product(code: str, product: NoticeProduct, known: RecordedProduct) -> Iterator[Fault]:
    for element, given, wanted in (
        ("product_name", product.name, known.name),
        ("gtin", product.gtin, known.gtin),
        ("udi_di", product.udi_di, known.udi_di),
    ):
        if (given or "") != visible(wanted or ""):
            yield _fault(element, f"{code}: {wanted}", f"{code}：{wanted}")
    often = Counter(lot.number for lot in known.lots)
    names = {
        visible(lot.number if often[lot.number] == 1 else f"{lot.number} ({lot.site or '?'})") for lot in known.lots
    }
    if strange := sorted(names ^ set(product.lots)):
        yield _fault("lots", f"{code}: {', '.join(strange[:_SHOWN])}", f"{code}：{'、'.join(strange[:_SHOWN])}")
    for lot in known.lots:
        if often[lot.number] == 1 and product.expiry.get(visible(lot.number)) != lot.expires_on:
            yield _fault("expiry", f"{code}: {lot.number} {lot.expires_on}", f"{code}：{lot.number} {lot.expires_on}")


def _fault(element: str, what: str, chinese: str) -> Fault:
    return Fault(f"not as the record has it: {what}", f"与记录不一致：{chinese}", element)


__all__ = ["Recorded", "RecordedLot", "RecordedProduct", "record_faults"]
