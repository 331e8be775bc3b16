"""United States, 21 CFR part 7: first information, status reports, termination request, public warning; and part 803.

Fields follow 7.46(a)(1) to (9), 7.53(b)(1) to (6), 7.55(b), FDA's guidance on public warnings (February 2019) and the
blocks of Form FDA 3500A as far as a recall's record can speak to them.
"""

from typing import Annotated, ClassVar

from domain.documents import facts
from domain.documents.form import About, Document, Filled, Text
from domain.documents.record import Harm, RecordView
from domain.documents.rows import (
    BalanceRow,
    CapaRow,
    ClassRow,
    CommunicationRow,
    CountryRow,
    DeviceRow,
    DisposedRow,
    LotRow,
    SilentRow,
)
from domain.mass_balance import plain
from domain.roles import Role

_UNTOLD = "no consignee has been notified yet"
_UNSIGNED = "the recall strategy is not signed"
_UNTRACED = "the scope is not traced"


def _contact(view: RecordView) -> str:
    return ", ".join(each for each in (view.firm.name, view.firm.phone, view.firm.email) if each)


class FirstInformation(Document):
    """What FDA is told at once about a firm-initiated recall (21 CFR 7.46(a))."""

    KIND: ClassVar[str] = "us_first_information"
    TITLE: ClassVar[str] = "Firm-initiated recall: information for FDA (21 CFR 7.46(a))"
    TITLE_ZH: ClassVar[str] = "企业主动召回：向 FDA 提供的信息（21 CFR 7.46(a)）"
    LAW: ClassVar[str] = "21 CFR 7.46(a)"

    devices: Annotated[
        tuple[DeviceRow, ...], About("7.46(a)(1)", "Identity of the product", "产品标识", Role.QA, _UNTRACED)
    ] = ()
    reason: Annotated[
        Text | None,
        About("7.46(a)(2)", "Reason, and date and circumstances of discovery", "原因、发现日期和经过", Role.QA),
    ] = None
    risk: Annotated[
        Text | None,
        About("7.46(a)(3)", "Evaluation of the risk", "风险评估", Role.MEDICAL, "no evaluation is signed"),
    ] = None
    classification: Annotated[
        tuple[ClassRow, ...], About("7.46(a)(3)", "Proposed class", "建议分级", Role.APPROVER, "no class is decided")
    ] = ()
    produced: Annotated[
        Text | None,
        About(
            "7.46(a)(4)",
            "Total produced and time span",
            "生产总量和期间",
            Role.QA,
            "not every lot's quantity made is recorded",
        ),
    ] = None
    lots: Annotated[tuple[LotRow, ...], About("7.46(a)(4)", "Lots", "批次", Role.QA, _UNTRACED)] = ()
    in_distribution: Annotated[
        Text | None, About("7.46(a)(5)", "Estimate in distribution", "流通中数量估计", Role.QA, _UNTRACED)
    ] = None
    direct_accounts: Annotated[
        Text | None, About("7.46(a)(6)", "Number of direct accounts", "直接客户数量", Role.QA, _UNTRACED)
    ] = None
    distribution: Annotated[
        tuple[CountryRow, ...], About("7.46(a)(6)", "Distribution pattern", "销售分布", Role.QA, _UNTRACED)
    ] = ()
    communications: Annotated[
        tuple[CommunicationRow, ...],
        About(
            "7.46(a)(7)",
            "Communications issued or proposed",
            "已发出或拟发出的通知",
            Role.APPROVER,
            "none is drafted yet",
        ),
    ] = ()
    strategy: Annotated[
        Text | None, About("7.46(a)(8)", "Proposed recall strategy", "拟定召回策略", Role.QA, _UNSIGNED)
    ] = None
    contact: Annotated[
        Text | None, About("7.46(a)(9)", "Firm official to be contacted", "企业联系人：姓名和电话", Role.REGULATORY)
    ] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Everything the record holds; the name of the official is stated by regulatory affairs."""
        made, shipped = facts.made(view), facts.shipped(view)
        days = sorted(each.made_on for each in view.lots if each.made_on is not None)
        span = f", made {days[0].isoformat()} to {days[-1].isoformat()}" if days else ""
        direct = {each.consignee_id for each in view.deliveries if each.tier == 1}
        values = {
            "devices": facts.devices(view),
            "reason": facts.events(view, "en"),
            "risk": facts.hazard(view),
            "classification": facts.classes(view),
            "produced": None if made is None else f"{plain(made)} units{span}",
            "lots": facts.lots(view),
            "in_distribution": None if shipped is None else f"{plain(shipped)} units shipped to consignees",
            "direct_accounts": str(len(direct)) if direct else None,
            "distribution": facts.countries(view),
            "communications": facts.communications(view),
            "strategy": facts.actions(view),
        }
        return Filled(values, {"reason": facts.untranslated(view, "en")})


class StatusReport(Document):
    """Recall status report (21 CFR 7.53(b))."""

    KIND: ClassVar[str] = "us_status_report"
    TITLE: ClassVar[str] = "Recall status report (21 CFR 7.53)"
    TITLE_ZH: ClassVar[str] = "召回进展报告（21 CFR 7.53）"
    LAW: ClassVar[str] = "21 CFR 7.53(b)"

    notified: Annotated[
        Text | None,
        About(
            "7.53(b)(1)", "Consignees notified: number, date, method", "已通知单位：数量、日期、方式", Role.QA, _UNTOLD
        ),
    ] = None
    responded: Annotated[
        Text | None,
        About(
            "7.53(b)(2)", "Responded, and quantity on hand at receipt", "已答复单位及收到通知时存量", Role.QA, _UNTOLD
        ),
    ] = None
    not_responded: Annotated[
        int | None, About("7.53(b)(3)", "Number that did not respond", "未答复单位数", Role.QA, _UNTOLD)
    ] = None
    quantities: Annotated[
        Text | None,
        About("7.53(b)(4)", "Returned, corrected, accounted for", "退回、纠正和已核实数量", Role.QA, _UNTRACED),
    ] = None
    balance: Annotated[
        tuple[BalanceRow, ...], About("7.53(b)(4)", "Quantities lot by lot", "各批数量", Role.QA, _UNTRACED)
    ] = ()
    effectiveness: Annotated[
        Text | None,
        About(
            "7.53(b)(5)",
            "Effectiveness checks: number and results",
            "有效性核查：数量和结果",
            Role.QA,
            "no sample is drawn yet",
        ),
    ] = None
    estimated_completion: Annotated[
        Text | None, About("7.53(b)(6)", "Estimated completion", "预计完成时间", Role.QA)
    ] = None
    report_sequence: Annotated[int | None, About("7.53(a)", "Report number in the series", "报告序号")] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Counted from the record at the moment of drafting."""
        told = view.progress
        answered = f"{told.responded} responded, {plain(told.on_hand)} units on hand at receipt; "
        values = {
            "notified": facts.notified(view),
            "responded": f"{answered}{told.documented} documented without an answer" if told.notified else None,
            "not_responded": len(told.silent) if told.notified else None,
            "quantities": facts.summary_of_balance(view),
            "balance": facts.balance(view),
            "effectiveness": facts.effectiveness(view),
            "report_sequence": view.owed.number,
        }
        return Filled(values, {})


class TerminationRequest(Document):
    """Request to terminate the recall (21 CFR 7.55(b))."""

    KIND: ClassVar[str] = "us_termination_request"
    TITLE: ClassVar[str] = "Request for termination of a recall (21 CFR 7.55(b))"
    TITLE_ZH: ClassVar[str] = "终止召回申请（21 CFR 7.55(b)）"
    LAW: ClassVar[str] = "21 CFR 7.55(b)"

    statement: Annotated[
        Text | None,
        About(
            "7.55(b)",
            "Statement that the recall was effective",
            "召回有效的声明",
            Role.REGULATORY,
            "the recall is not completed",
        ),
    ] = None
    effectiveness: Annotated[
        Text | None, About("7.55(b)", "Effectiveness checks", "有效性核查", Role.QA, "no sample is drawn yet")
    ] = None
    notified: Annotated[Text | None, About("7.53(b)(1)", "Consignees notified", "已通知单位", Role.QA, _UNTOLD)] = None
    responded: Annotated[
        Text | None, About("7.53(b)(2)", "Answers of consignees", "单位答复情况", Role.QA, _UNTOLD)
    ] = None
    not_responded: Annotated[
        tuple[SilentRow, ...],
        About("7.53(b)(3)", "Consignees without an answer", "未答复单位", Role.QA, "every consignee told has answered"),
    ] = ()
    balance: Annotated[
        tuple[BalanceRow, ...], About("7.55(b)", "Quantities lot by lot", "各批数量", Role.QA, _UNTRACED)
    ] = ()
    disposition: Annotated[
        tuple[DisposedRow, ...],
        About("7.55(b)", "Disposition of recalled product", "召回产品的处理", Role.QA, "no disposition is on record"),
    ] = ()
    corrective_action: Annotated[
        tuple[CapaRow, ...],
        About("7.55(b)", "Cause and corrective action", "原因和纠正措施", Role.QA, "no CAPA is opened"),
    ] = ()

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """The statement rests on the signed completion."""
        done = view.clocks.get("completion")
        told = view.progress
        stated = None
        if done is not None:
            stated = (
                f"The recall was completed on {done.date().isoformat()}: all reasonable efforts were made to remove or "
                "correct the product in accordance with the recall strategy."
            )
        values = {
            "statement": stated,
            "effectiveness": facts.effectiveness(view),
            "notified": facts.notified(view),
            "responded": f"{told.responded} responded, {told.documented} documented" if told.notified else None,
            "not_responded": facts.silent(view),
            "balance": facts.balance(view),
            "disposition": facts.disposed(view),
            "corrective_action": facts.capas(view),
        }
        answered = told.notified and not told.silent
        nothing = frozenset({"not_responded"}) if answered else frozenset()
        return Filled(values, {} if told.notified else {"not_responded": _UNTOLD}, nothing)


class PublicWarning(Document):
    """Text of a public warning (21 CFR 7.42(b)(2), 7.50)."""

    KIND: ClassVar[str] = "us_public_warning"
    TITLE: ClassVar[str] = "Public warning"
    TITLE_ZH: ClassVar[str] = "公众警示"
    LAW: ClassVar[str] = "21 CFR 7.42(b)(2); FDA guidance on public warning, February 2019"

    devices: Annotated[
        tuple[DeviceRow, ...],
        About("guidance 2019", "Products, lots, UDI", "产品、批号、UDI", Role.QA, _UNTRACED),
    ] = ()
    distribution: Annotated[
        tuple[CountryRow, ...], About("guidance 2019", "Distribution areas", "销售区域", Role.QA, _UNTRACED)
    ] = ()
    distribution_dates: Annotated[
        Text | None, About("guidance 2019", "Distribution dates", "销售期间", Role.QA, "no shipment date is recorded")
    ] = None
    defect: Annotated[Text | None, About("guidance 2019", "Defect and reason", "缺陷和原因", Role.QA)] = None
    hazard: Annotated[Text | None, About("guidance 2019", "Hazard", "危害", Role.MEDICAL)] = None
    user_instructions: Annotated[
        Text | None, About("guidance 2019", "What users are to do", "用户应采取的措施", Role.QA)
    ] = None
    injuries: Annotated[
        Text | None,
        About(
            "guidance 2019",
            "Number and nature of injuries",
            "伤害数量和性质",
            Role.MEDICAL,
            "no evaluation is signed",
        ),
    ] = None
    contact: Annotated[Text | None, About("guidance 2019", "Contact for the public", "公众联系方式")] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Instructions to the public are written for it; no notice to consignees is reused."""
        days = sorted(day for each in view.deliveries for day, _ in each.shipments)
        values = {
            "devices": facts.devices(view),
            "distribution": facts.countries(view),
            "distribution_dates": f"{days[0].isoformat()} to {days[-1].isoformat()}" if days else None,
            "defect": facts.text_in(view.reason, "en"),
            "hazard": facts.text_in(view.hazard, "en"),
            "injuries": facts.injuries(view),
            "contact": _contact(view),
        }
        return Filled(values, dict.fromkeys(("defect", "hazard"), facts.untranslated(view, "en")))


class DeviceReport(Document):
    """Cover data of a medical device report on harm reported during the recall (21 CFR 803.52, 803.53)."""

    KIND: ClassVar[str] = "us_mdr"
    TITLE: ClassVar[str] = "Medical device report (21 CFR part 803)"
    TITLE_ZH: ClassVar[str] = "医疗器械不良事件报告（21 CFR 第 803 部分）"
    LAW: ClassVar[str] = "21 CFR 803.52, 803.53"

    complaint: Annotated[
        int | None, About("803.52(e)", "Complaint number", "投诉编号", Role.QA, "no complaint belongs to this report")
    ] = None
    outcome: Annotated[Text | None, About("803.52(b)(1), (2)", "Outcome", "后果", Role.QA)] = None
    event_date: Annotated[Text | None, About("803.52(b)(3)", "Date of the event", "事件日期", Role.QA)] = None
    report_date: Annotated[Text | None, About("803.52(b)(4)", "Date of this report", "报告日期")] = None
    event: Annotated[Text | None, About("803.52(b)(5)", "Description of the event", "事件描述", Role.QA)] = None
    patients: Annotated[int | None, About("803.52(a)", "Patients concerned", "涉及患者人数", Role.QA)] = None
    devices: Annotated[
        tuple[DeviceRow, ...], About("803.52(c)", "Suspect devices", "涉及产品", Role.QA, _UNTRACED)
    ] = ()
    lot: Annotated[
        Text | None,
        About("803.52(c)(4)", "Lot of the device involved", "涉及产品批号", Role.QA, "the complaint names no lot"),
    ] = None
    reporter: Annotated[
        Text | None,
        About("803.52(d)", "Initial reporter", "最初报告者", Role.QA, "the complaint names no consignee"),
    ] = None
    aware_on: Annotated[Text | None, About("803.52(e)(4)", "Date the firm became aware", "企业知悉日期", Role.QA)] = (
        None
    )
    manufacturer: Annotated[Text | None, About("803.52(e)(1)", "Reporting office", "报告单位")] = None
    remedial_action: Annotated[
        Text | None, About("803.52(f)(7)", "Remedial action: recall", "补救措施：召回", Role.QA, _UNSIGNED)
    ] = None
    removal_report: Annotated[
        Text | None,
        About(
            "803.52(f)(8)", "Correction or removal report number", "纠正或移除报告编号", why="no 806 report is on file"
        ),
    ] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """The complaint's own words; nothing about a patient beyond counts is in the record."""
        harm = next((each for each in view.harms if each.sequence == view.owed.complaint), None)
        values = {
            "report_date": view.today.isoformat(),
            "devices": facts.devices(view),
            "manufacturer": _contact(view),
            "remedial_action": facts.actions(view),
            "removal_report": facts.first(
                each.report_number for each in reversed(view.earlier) if each.kind == "us_806_report"
            ),
        }
        return Filled(values | (_of(harm) if harm else {}), {})


def _of(harm: Harm) -> dict[str, object]:
    return {
        "complaint": harm.sequence,
        "outcome": harm.severity,
        "event": harm.description,
        "patients": harm.patients,
        "lot": harm.lot,
        "reporter": harm.reporter,
        "aware_on": harm.awareness_at.date().isoformat(),
    }


__all__ = ["DeviceReport", "FirstInformation", "PublicWarning", "StatusReport", "TerminationRequest"]
