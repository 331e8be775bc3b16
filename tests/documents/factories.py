"""A rich record, as a finished recall leaves it, and the poorest one: nothing but a decision to look into something."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.documents.record import (
    Capa,
    Checks,
    Communication,
    Delivery,
    Disposed,
    Earlier,
    Evaluation,
    Firm,
    Harm,
    Line,
    Lot,
    Owed,
    Product,
    Progress,
    RecordView,
)
from domain.mass_balance import Basis, LotBalance, Terms
from tests.domain.factories import evaluation

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
STRATEGY = {
    "depth": "user_facility",
    "effectiveness_level": "A",
    "public_warning": True,
    "sub_recall": True,
    "out_of_business": "documented and reported",
    "destruction_method": "incineration",
}


def owed(subject: str, **changes: Any) -> Owed:
    """What a document is for."""
    name = subject.partition(":")[2]
    facts: dict[str, Any] = {
        "subject": subject,
        "name": name,
        "obligation": name.partition("#")[0].partition(":")[0],
        "title": "A report",
        "title_zh": "报告",
        "source": "the law",
        "recipient": "the authority",
        "due_at": NOW + timedelta(days=10),
    }
    return Owed(**facts | changes)


def poor(subject: str = "us-fda:regulator_report", **changes: Any) -> RecordView:
    """A recall of which nothing is known but its alarm."""
    facts: dict[str, Any] = {
        "number": "RC-2026-000042",
        "drill": False,
        "phase": "intake",
        "title": "Kits",
        "texts_language": "de",
        "reason": {"de": "Falsch negative Ergebnisse"},
        "hazard": {"de": "Infektion wird übersehen"},
        "trigger_source": "complaint",
        "trigger_reference": None,
        "awareness_at": NOW,
        "geographic_scope": None,
        "scope_version": 1,
        "jurisdiction": subject.partition(":")[0],
        "authority": "The authority",
        "authority_zh": "监管部门",
        "policy": "p@1 abc",
        "zone": "UTC",
        "today": date(2026, 11, 20),
        "firm": Firm(name="Firm", country="US"),
        "owed": owed(subject),
        "clocks": {"awareness": NOW},
    }
    return RecordView(**facts | changes)


def rich(subject: str = "us-fda:regulator_report", *, consignees: int = 3, **changes: Any) -> RecordView:
    """Everything a record can hold."""
    base = poor(subject)
    facts: dict[str, Any] = {
        "texts_language": "en",
        "reason": {"en": "False negative results", "zh-CN": "假阴性结果"},
        "hazard": {"en": "Missed infection", "zh-CN": "漏诊感染"},
        "trigger_reference": "LR-1",
        "scope_version": 2,
        "firm": Firm(
            name="Firm",
            country="US",
            phone="+1 202 555 0100",
            email="recall@firm.invalid",
            address="1 Plant Road, Springfield",
            fda_registration="3001234",
            eu_srn="US-MF-000001234",
        ),
        "owed": owed(subject, complaint=1, scope_version=2),
        "clocks": {"awareness": NOW, "decision": NOW, "first_communication": NOW, "completion": NOW},
        "lines": (
            Line(
                line="kits",
                level="1",
                term="Class I",
                term_zh="一级召回",
                recall_class="I",
                market_action="removal",
                decided_by="ada",
                decided_at=NOW,
                reasons=("Serious harm is possible.",),
                authority_class="Class I",
            ),
        ),
        "evaluations": (
            Evaluation(line="kits", form=evaluation(seriousness="serious"), assessor="mira", recorded_at=NOW),
        ),
        "products": (
            Product(
                code="KIT",
                name="Rapid test",
                brand="Uni-Gold",
                family="kits",
                gtin="05391512345678",
                udi_di="05391512345678",
                unit="test",
                device_class="III",
                implantable=False,
                life_supporting=False,
                sterile=False,
                expected_life_years=2,
                makers=("Other Maker Ltd",),
                made_by_us=True,
            ),
        ),
        "lots": tuple(
            Lot(
                product_code="KIT",
                product="Rapid test",
                number=f"A{n}",
                site="Cork",
                made_on=date(2026, 1, n),
                expires_on=date(2028, 1, n),
                made=Decimal(100),
                shipped=Decimal(60),
                added_in=n,
            )
            for n in (1, 2)
        ),
        "deliveries": tuple(
            Delivery(
                consignee_id=n,
                code=f"C{n}",
                name=f"Hospital {n} 医院",
                kind="hospital",
                country="CN" if n % 2 else "US",
                phone="+12025550100",
                tier=1,
                product_code="KIT",
                lot=f"A{1 + n % 2}",
                quantity=Decimal(20),
                stated=False,
                shipments=((date(2026, 2, 1), Decimal(12)), (date(2026, 3, 1), Decimal(8))),
                added_in=1 + n % 2,
            )
            for n in range(1, consignees + 1)
        ),
        "harms": (
            Harm(
                sequence=1,
                severity="serious",
                awareness_at=NOW,
                patients=1,
                description="A missed infection.",
                product_line="kits",
                lot="A1",
                reporter="Hospital 1",
                reported={base.jurisdiction: "MDR-1"},
            ),
        ),
        "communications": tuple(
            Communication(
                notice_version=1,
                kind="initial",
                step="initial",
                channel="email",
                language=language,
                approved_at=NOW,
                sha256="a" * 64,
                subject="URGENT",
                text="Stop using it. 停止使用。",
            )
            for language in ("en", "zh-CN")
        ),
        "strategy": STRATEGY,
        "progress": Progress(
            consignees=3,
            notified=3,
            first_notified_at=NOW,
            last_notified_at=NOW,
            by_channel={"email": 3},
            responded=2,
            documented=0,
            on_hand=Decimal(5),
            silent=(("C3", "Hospital 3", "CN"),),
            countries=(("CN", 2, Decimal(40)), ("US", 1, Decimal(20))),
        ),
        "checks": Checks(
            level="A",
            percent=100,
            population=3,
            sample=3,
            passed=3,
            failed=0,
            no_response=0,
            pending=0,
            outcome="passed",
        ),
        "balance": (
            LotBalance(
                lot_id=1,
                number="A1",
                product_code="KIT",
                site_code="CORK",
                unit="test",
                basis=Basis.MADE,
                terms=Terms(produced=Decimal(100), distributed=Decimal(60), returned=Decimal(50), used=Decimal(10)),
            ),
        ),
        "capas": (
            Capa(
                sequence=1,
                title="Seal",
                state="closed",
                cause="The seal leaked.",
                cause_category="process",
                actions=("New seal",),
                effective=True,
            ),
        ),
        "disposed": (Disposed(kind="destroy", decided=Decimal(50), done=Decimal(50)),),
        "earlier": (
            Earlier(
                subject="us-fda:regulator_report",
                kind="us_806_report",
                version=1,
                reference="FDA-1",
                submitted_at=NOW,
                report_number="3001234-11/1/26-001-R",
            ),
            Earlier(
                subject="eu-mdr:fsca_initial", kind="eu_fsca_initial", version=1, reference="BfArM 7", submitted_at=NOW
            ),
        ),
        "extension_reasons": {2: "A second lot shows the defect."},
        "justifications": ("kits: no risk to health. Conclusions: record only. Signed by rafael on 2026-11-20.",),
    }
    return replace(base, **facts | changes)


__all__ = ["NOW", "owed", "poor", "rich"]
