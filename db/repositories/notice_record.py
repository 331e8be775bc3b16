"""What the record says of a recall, for the content check: plain queries, none of them shared with the drafting."""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.plain_sql import run
from domain.notice_record import Recorded, RecordedLot, RecordedProduct

_LOTS: Final = """
SELECT product.code, product.name, product.gtin, product.udi_di, lot.number, location.name AS site,
       CASE WHEN NOT EXISTS (
           SELECT 1 FROM lot other WHERE other.product_id = lot.product_id AND other.number = lot.number
           AND other.expires_on IS DISTINCT FROM lot.expires_on
       ) THEN lot.expires_on END AS expires_on
FROM lot
JOIN product ON product.id = lot.product_id
LEFT JOIN location ON location.id = lot.site_id
WHERE EXISTS (
    SELECT 1 FROM consignee_lot cl JOIN consignee c ON c.id = cl.consignee_id
    WHERE c.recall_number = :number AND cl.lot_id = lot.id AND cl.withdrawn_in IS NULL
)
ORDER BY product.code, lot.number
"""
_RECALL: Final = """
SELECT reason, hazard, translations,
       ARRAY (SELECT DISTINCT ON (d.jurisdiction, d.product_line) d.recall_class
              FROM class_decision d
              WHERE d.recall_number = recall.number AND d.kind IN ('approved', 'overridden', 'authority')
              ORDER BY d.jurisdiction, d.product_line, d.decided_at DESC, d.id DESC) AS classes
FROM recall WHERE number = :number
"""


async def recorded_facts(session: AsyncSession, number: str) -> Recorded:
    """Products, lots, texts and classes of a recall that exists."""
    products: dict[str, RecordedProduct] = {}
    lots: dict[str, list[RecordedLot]] = {}
    for row in (await run(session, _LOTS, {"number": number})).mappings():
        lots.setdefault(row["code"], []).append(RecordedLot(row["number"], row["site"], row["expires_on"]))
        products[row["code"]] = RecordedProduct(row["name"], row["gtin"], row["udi_di"], ())
    recall = (await run(session, _RECALL, {"number": number})).mappings().one()
    return Recorded(
        products={
            code: RecordedProduct(each.name, each.gtin, each.udi_di, tuple(lots[code]))
            for code, each in products.items()
        },
        reason=recall["reason"],
        hazard=recall["hazard"],
        translations=recall["translations"],
        classes=frozenset(recall["classes"]),
    )


__all__ = ["recorded_facts"]
