"""One notice and one recipient, as used by the golden files."""

from datetime import UTC, date, datetime
from decimal import Decimal

from domain.levels import MarketAction, RecallClass
from domain.notice_content import (
    NoticeChange,
    NoticeContext,
    NoticeKind,
    NoticeLevel,
    NoticeLots,
    NoticeProduct,
    NoticeSource,
    NoticeTexts,
    RecipientLot,
    RecipientValues,
)

TOKEN = "AQHqDwxBAGkgTn8AAAABiQAAAAAAcACAAAAAAAAqAAAAAAAAAAAAAAAAAAAAAA"

PRODUCT = NoticeProduct(
    name="HIV, Uni-Gold HIV Kit, 20 Tests",
    code="UNI-20",
    gtin="05391516740012",
    udi_di="05391516740012",
    manufacturer="Trinity Biotech, Plc",
    lots=("SCMS-10-IE", "SCMS-12-IE", "SCMS-31-IE"),
    unit="test",
    expiry={"SCMS-10-IE": date(2027, 5, 31), "SCMS-12-IE": date(2027, 6, 30)},
)
CONTEXT = NoticeContext(
    recall_no="RC-2026-000012",
    issued_on=date(2026, 11, 21),
    recall_class=RecallClass.I,
    market_action=MarketAction.REMOVAL,
    levels=(
        NoticeLevel(jurisdiction="us-fda", term="Class I", term_zh="I 级"),
        NoticeLevel(jurisdiction="cn-nmpa", term="Level 1 recall", term_zh="一级召回"),
    ),
    products=(PRODUCT,),
    distributed_from=date(2026, 1, 2),
    distributed_until=date(2026, 10, 30),
    texts=NoticeTexts(
        reason="The control line may appear although no sample was added.\nFound in stability testing.",
        hazard="A false negative result can delay treatment and cause serious harm or death.",
        instructions=("Repeat tests that were done with these lots in the last 30 days.",),
    ),
    translations={
        "zh-CN": NoticeTexts(
            reason="未加入样本时质控线也可能显色。\n在稳定性试验中发现。",
            hazard="假阴性结果可能延误治疗，造成严重伤害或死亡。",
            instructions=("请对最近30天内用上述批号完成的检测进行复检。",),
        ),
        "es": NoticeTexts(
            reason="La línea de control puede aparecer aunque no se haya añadido muestra.\nDetectado en ensayos.",
            hazard="Un falso negativo puede retrasar el tratamiento y causar daños graves o la muerte.",
            instructions=("Repita las pruebas hechas con estos lotes en los últimos 30 días.",),
        ),
    },
    firm_name="Example Diagnostics Ltd.",
    firm_phone="+1 202 555 0100",
    firm_email="recall@firm.example",
    contact_name="Dr. Q. Safe",
    sub_recall_laws=(
        NoticeSource(text="21 CFR 7.49(d)", text_zh="21 CFR 7.49(d)"),
        NoticeSource(text="NMPA Order 29, Art. 15", text_zh="《医疗器械召回管理办法》第十五条"),
    ),
)
RECIPIENT = RecipientValues(
    recipient_name="Hôpital Général d'Abidjan",
    contact_name="Laboratory stores",
    lots=(
        RecipientLot(
            product=PRODUCT.name,
            gtin=PRODUCT.gtin,
            lot="SCMS-10-IE",
            quantity=Decimal("1200.000000"),
            unit="test",
            shipped_on=date(2026, 3, 4),
            udi_di=PRODUCT.udi_di,
            expires_on=date(2027, 5, 31),
            serials=("SN-0001", "SN-0002"),
        ),
        RecipientLot(product=PRODUCT.name, lot="SCMS-31-IE", quantity=Decimal("40.5"), unit="test"),
    ),
    link=f"https://recall.firm.example/r/{TOKEN}",
    respond_by=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    time_zone="Africa/Abidjan",
    first_notice_on=date(2026, 11, 21),
)
CHANGE = NoticeChange(
    replaces_version=1,
    added=(NoticeLots(product=PRODUCT.name, lots=("SCMS-31-IE",)),),
    removed=(NoticeLots(product=PRODUCT.name, lots=("SCMS-07-IE", "SCMS-08-IE")),),
    class_from=RecallClass.II,
    class_to=RecallClass.I,
)
AMENDED = CONTEXT.model_copy(update={"version": 2, "change": CHANGE})
TOLD_AGAIN = RECIPIENT.model_copy(update={"added_lots": ("SCMS-31-IE",), "removed_lots": ("SCMS-07-IE",)})


def facts_of(kind: NoticeKind) -> tuple[NoticeContext, RecipientValues]:
    """What the golden file of this kind is made of."""
    amended = kind in (NoticeKind.AMENDMENT, NoticeKind.RETRACTION)
    return (AMENDED, TOLD_AGAIN) if amended else (CONTEXT, RECIPIENT)
