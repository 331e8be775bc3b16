"""A typed report for every other document a policy owes: Health Canada s.64/65, TGA, MHRA, or an authority to come.

The blocks are those SOR/98-282 s.64 names, which TGA's and MHRA's forms ask for in other words: device, reason, risk,
quantities, who bought it, communications, strategy, prevention, contact; and, at the end, what was achieved (s.65).
"""

from typing import Annotated, ClassVar

from domain.documents import facts
from domain.documents.form import About, Document, Filled, Text
from domain.documents.record import RecordView
from domain.documents.rows import (
    BalanceRow,
    CapaRow,
    ClassRow,
    CommunicationRow,
    ConsigneeRow,
    CountryRow,
    DeviceRow,
    DisposedRow,
    HarmRow,
    LotRow,
)
from domain.mass_balance import plain
from domain.roles import Role

_UNTRACED = "the scope is not traced"
_UNTOLD = "no consignee has been notified yet"


class RecallReport(Document):
    """Report of a recall to an authority whose own form this product does not model."""

    KIND: ClassVar[str] = "recall_report"
    TITLE: ClassVar[str] = "Recall report"
    TITLE_ZH: ClassVar[str] = "召回报告"
    LAW: ClassVar[str] = "as the obligation's source; blocks of SOR/98-282 s.64, 65"

    purpose: Annotated[Text | None, About("s.64", "What this report is", "报告名称")] = None
    devices: Annotated[
        tuple[DeviceRow, ...], About("s.64(a)", "Devices and identifiers", "产品和标识", Role.QA, _UNTRACED)
    ] = ()
    lots: Annotated[tuple[LotRow, ...], About("s.64(a)", "Lots", "批次", Role.QA, _UNTRACED)] = ()
    licence: Annotated[Text | None, About("s.64(a)", "Licence or registration number", "许可证或注册编号")] = None
    firm: Annotated[Text | None, About("s.64(b)", "Manufacturer or importer", "生产企业或进口商")] = None
    firm_address: Annotated[
        Text | None, About("s.64(b)", "Address", "地址", why="RECALL_COMPANY_ADDRESS is not set")
    ] = None
    sponsor: Annotated[
        Text | None, About("s.64(b)", "Importer, sponsor or responsible person", "进口商、赞助人或责任人")
    ] = None
    reason: Annotated[
        Text | None, About("s.64(c)", "Reason, and how and when discovered", "原因及发现经过", Role.QA)
    ] = None
    risk: Annotated[
        Text | None, About("s.64(d)", "Evaluation of the risk", "风险评估", Role.MEDICAL, "no evaluation is signed")
    ] = None
    classification: Annotated[
        tuple[ClassRow, ...], About("s.64(d)", "Class", "分级", Role.APPROVER, "no class is decided")
    ] = ()
    made: Annotated[
        Text | None, About("s.64(e)", "Units made or imported", "生产或进口数量", Role.QA, "not recorded for every lot")
    ] = None
    sold: Annotated[Text | None, About("s.64(e)", "Units sold", "销售数量", Role.QA, _UNTRACED)] = None
    sold_between: Annotated[
        Text | None, About("s.64(f)", "Period of distribution", "销售期间", Role.QA, "no shipment date is recorded")
    ] = None
    distribution: Annotated[
        tuple[CountryRow, ...], About("s.64(g)", "Distribution", "销售分布", Role.QA, _UNTRACED)
    ] = ()
    buyers: Annotated[
        tuple[ConsigneeRow, ...],
        About("s.64(g)", "Buyers and units", "购货单位和数量", Role.QA, "no consignee is traced"),
    ] = ()
    communications: Annotated[
        tuple[CommunicationRow, ...], About("s.64(h)", "Communications", "通知", Role.APPROVER, "none is drafted yet")
    ] = ()
    strategy: Annotated[
        Text | None, About("s.64(i)", "Strategy", "召回策略", Role.QA, "the recall strategy is not signed")
    ] = None
    completion: Annotated[
        Text | None, About("s.64(i)", "Completed, or expected to be", "完成或预计完成日期", Role.QA)
    ] = None
    prevention: Annotated[
        tuple[CapaRow, ...],
        About("s.64(j)", "Action to prevent recurrence", "防止再发生的措施", Role.QA, "no CAPA is opened"),
    ] = ()
    contact: Annotated[Text | None, About("s.64(k)", "Contact: name, title, telephone", "联系人：姓名、职务、电话")] = (
        None
    )
    harm: Annotated[
        tuple[HarmRow, ...], About("s.64(d)", "Harm reported", "伤害报告", Role.QA, "no complaint is on record")
    ] = ()
    progress: Annotated[Text | None, About("s.65", "Notification and answers", "通知和答复", Role.QA, _UNTOLD)] = None
    balance: Annotated[
        tuple[BalanceRow, ...], About("s.65(a)", "Results lot by lot", "各批结果", Role.QA, _UNTRACED)
    ] = ()
    disposition: Annotated[
        tuple[DisposedRow, ...], About("s.65(a)", "Disposition", "产品处理", Role.QA, "no disposition is on record")
    ] = ()

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Everything the record holds."""
        made, shipped, done = facts.made(view), facts.shipped(view), view.clocks.get("completion")
        days = sorted(day for each in view.deliveries for day, _ in each.shipments)
        values = {
            "purpose": f"{view.owed.title} ({view.owed.source})",
            "devices": facts.devices(view),
            "lots": facts.lots(view),
            "firm": ", ".join(each for each in (view.firm.name, view.firm.phone, view.firm.email) if each),
            "firm_address": view.firm.address,
            "reason": facts.events(view, "en"),
            "risk": facts.hazard(view),
            "classification": facts.classes(view),
            "made": None if made is None else plain(made),
            "sold": None if shipped is None else plain(shipped),
            "sold_between": f"{days[0].isoformat()} to {days[-1].isoformat()}" if days else None,
            "distribution": facts.countries(view),
            "buyers": facts.consignees(view),
            "communications": facts.communications(view),
            "strategy": facts.actions(view),
            "completion": done.date().isoformat() if done else None,
            "prevention": facts.capas(view),
            "harm": facts.harms(view),
            "progress": facts.progress(view),
            "balance": facts.balance(view),
            "disposition": facts.disposed(view),
        }
        return Filled(values, {"reason": facts.untranslated(view, "en")}, facts.none_reported(view, "harm"))


class KeptRecord(Document):
    """The record that is kept where a policy owes no report: identification, evaluation, justification, reviewer."""

    KIND: ClassVar[str] = "kept_record"
    TITLE: ClassVar[str] = "Record kept instead of a report"
    TITLE_ZH: ClassVar[str] = "代替报告的存档记录"
    LAW: ClassVar[str] = "as the obligation's source"

    purpose: Annotated[Text | None, About("record", "What is recorded", "记录内容")] = None
    devices: Annotated[tuple[DeviceRow, ...], About("record", "Devices", "产品", Role.QA, _UNTRACED)] = ()
    reason: Annotated[Text | None, About("record", "What happened", "事件", Role.QA)] = None
    evaluation: Annotated[
        Text | None, About("record", "Evaluation", "评估", Role.MEDICAL, "no evaluation is signed")
    ] = None
    classification: Annotated[
        tuple[ClassRow, ...], About("record", "Conclusion", "结论", Role.APPROVER, "no class is decided")
    ] = ()
    justification: Annotated[
        Text | None, About("record", "Justification", "理由", Role.REGULATORY, "no justification is signed")
    ] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """From the assessment."""
        values = {
            "purpose": f"{view.owed.title} ({view.owed.source})",
            "devices": facts.devices(view),
            "reason": facts.events(view, "en"),
            "evaluation": facts.hazard(view),
            "classification": facts.classes(view),
            "justification": "\n".join(view.justifications) or None,
        }
        return Filled(values, {"reason": facts.untranslated(view, "en")})


__all__ = ["KeptRecord", "RecallReport"]
