"""China, NMPA Order 29: event form, assessment report and recall plan, progress, publication, summary; adverse events.

Articles 14 to 17 name what each holds; where UDI is implemented it is given (NMPA's reading of Art. 16). The reason is
stated in Chinese: where the record holds no Chinese text the field is missing, never machine-translated.
"""

from typing import Annotated, ClassVar

from domain.documents import facts, facts_zh
from domain.documents.facts import CHINESE
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
    SilentRow,
)
from domain.mass_balance import plain
from domain.roles import Role

_UNTRACED = "the scope is not traced"
_UNSIGNED = "the recall strategy is not signed"
_UNDECIDED = "no class is decided"
_UNTOLD = "no consignee has been notified yet"


class _Identified(Document):
    """Firm and product, as every document of Order 29 begins."""

    firm: Annotated[
        Text | None, About("Art. 16", "Registrant, filer or agent", "召回单位（注册人、备案人或代理人）")
    ] = None
    firm_address: Annotated[
        Text | None, About("Art. 16", "Address", "地址", why="RECALL_COMPANY_ADDRESS is not set")
    ] = None
    contact: Annotated[Text | None, About("Art. 16", "Person responsible and telephone", "负责人和联系电话")] = None
    registration_certificate: Annotated[
        Text | None, About("Art. 16", "Registration certificate or filing number", "注册证编号或备案凭证编号")
    ] = None
    devices: Annotated[
        tuple[DeviceRow, ...],
        About("Art. 16", "Devices, batches, UDI", "产品名称、型号规格、批号、UDI", Role.QA, _UNTRACED),
    ] = ()


def _identified(view: RecordView) -> dict[str, object]:
    return {"firm": view.firm.name, "firm_address": view.firm.address, "devices": facts.devices(view)}


def _quantities(view: RecordView) -> dict[str, object]:
    made, shipped = facts.made(view), facts.shipped(view)
    home = [row for row in view.progress.countries if row[0] == "CN"]
    return {
        "produced": None if made is None else plain(made),
        "sold": None if shipped is None else plain(shipped),
        "sold_in_china": plain(home[0][2]) if home else ("0" if view.progress.countries else None),
        "regions": facts.countries(view),
    }


def _untranslated(view: RecordView, *names: str) -> dict[str, str]:
    return dict.fromkeys(names, facts.untranslated(view, CHINESE))


class EventForm(_Identified):
    """医疗器械召回事件报告表 (Art. 16): reported at once."""

    KIND: ClassVar[str] = "cn_event_form"
    TITLE: ClassVar[str] = "Medical device recall event form"
    TITLE_ZH: ClassVar[str] = "医疗器械召回事件报告表"
    LAW: ClassVar[str] = "Order 29 Art. 16"

    level: Annotated[Text | None, About("Art. 13", "Recall level", "召回级别", Role.APPROVER, _UNDECIDED)] = None
    reason: Annotated[Text | None, About("Art. 16", "Reason for the recall", "召回原因", Role.QA)] = None
    hazard: Annotated[Text | None, About("Art. 12", "Hazard", "可能的危害", Role.MEDICAL)] = None
    injuries: Annotated[
        Text | None, About("Art. 12", "Harm so far", "已发生的伤害", Role.MEDICAL, "no evaluation is signed")
    ] = None
    produced: Annotated[
        Text | None, About("Art. 16", "Quantity produced", "生产（进口）数量", Role.QA, "not recorded for every lot")
    ] = None
    sold: Annotated[Text | None, About("Art. 16", "Quantity sold", "销售数量", Role.QA, _UNTRACED)] = None
    sold_in_china: Annotated[
        Text | None, About("Art. 16", "Of it in China", "其中境内销售数量", Role.QA, _UNTRACED)
    ] = None
    regions: Annotated[tuple[CountryRow, ...], About("Art. 16", "Regions of sale", "销售区域", Role.QA, _UNTRACED)] = ()
    measures: Annotated[Text | None, About("Art. 3", "Measures", "召回措施", Role.QA, _UNSIGNED)] = None
    decided_on: Annotated[
        Text | None, About("Art. 15", "Recall decided at", "召回决定时间", Role.APPROVER, "the recall is not decided")
    ] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Everything the record holds."""
        decided = view.clocks.get("decision")
        values = (
            _identified(view)
            | _quantities(view)
            | {
                "level": facts_zh.level(view),
                "reason": facts.events(view, CHINESE),
                "hazard": facts.text_in(view.hazard, CHINESE),
                "injuries": facts_zh.injuries(view),
                "measures": facts_zh.actions(view),
                "decided_on": f"{decided:%Y-%m-%d %H:%M} UTC" if decided else None,
            }
        )
        return Filled(values, _untranslated(view, "reason", "hazard"))


class AssessmentAndPlan(_Identified):
    """调查评估报告 and 召回计划 (Art. 16, 17): both within five working days, in one document of two parts."""

    KIND: ClassVar[str] = "cn_assessment_and_plan"
    TITLE: ClassVar[str] = "Assessment report and recall plan"
    TITLE_ZH: ClassVar[str] = "调查评估报告和召回计划"
    LAW: ClassVar[str] = "Order 29 Art. 16, 17"

    reason: Annotated[
        Text | None,
        About("Art. 17(1)(2)", "Reason for the recall", "召回原因", Role.QA, part="Assessment report / 调查评估报告"),
    ] = None
    lots: Annotated[tuple[LotRow, ...], About("Art. 17(1)(1)", "Batches", "批次", Role.QA, _UNTRACED)] = ()
    evaluation: Annotated[
        Text | None,
        About("Art. 17(1)(3)", "Result of the evaluation", "调查评估结果", Role.MEDICAL, "no evaluation is signed"),
    ] = None
    conformity: Annotated[
        Text | None,
        About(
            "Art. 12(1)",
            "Conformity to standards and requirements",
            "是否符合强制性标准和技术要求",
            Role.MEDICAL,
            "the evaluation does not say whether the device meets its standards and registered requirements",
        ),
    ] = None
    classification: Annotated[
        tuple[ClassRow, ...], About("Art. 17(1)(4)", "Recall level", "召回分级", Role.APPROVER, _UNDECIDED)
    ] = ()
    produced: Annotated[
        Text | None,
        About(
            "Art. 17(2)(1)",
            "Quantity produced",
            "生产（进口）数量",
            Role.QA,
            "not recorded for every lot",
            part="Recall plan / 召回计划",
        ),
    ] = None
    sold: Annotated[
        Text | None, About("Art. 17(2)(1)", "Quantity sold, to be recalled", "销售和拟召回数量", Role.QA, _UNTRACED)
    ] = None
    sold_in_china: Annotated[
        Text | None, About("Art. 17(2)(1)", "Of it in China", "其中境内销售数量", Role.QA, _UNTRACED)
    ] = None
    regions: Annotated[
        tuple[CountryRow, ...], About("Art. 17(2)(1)", "Regions of sale", "销售区域", Role.QA, _UNTRACED)
    ] = ()
    measures: Annotated[
        Text | None,
        About(
            "Art. 17(2)(2)", "Measures: organisation, scope, time limits", "措施：组织、范围、时限", Role.QA, _UNSIGNED
        ),
    ] = None
    schedule: Annotated[
        Text | None, About("Art. 17(2)(2)", "Time limits and progress reports", "时限和进展报告安排", Role.QA)
    ] = None
    publication: Annotated[
        Text | None, About("Art. 17(2)(3)", "Channels and scope of publication", "召回信息公布途径和范围")
    ] = None
    expected_effect: Annotated[Text | None, About("Art. 17(2)(4)", "Expected effect", "召回预期效果", Role.QA)] = None
    treatment: Annotated[
        Text | None,
        About(
            "Art. 17(2)(5)",
            "Treatment after recall",
            "召回后的处理措施",
            Role.QA,
            "the strategy names no destruction method",
        ),
    ] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Evaluation and level from the assessment, measures from the signed strategy."""
        plan = view.strategy or {}
        values = (
            _identified(view)
            | _quantities(view)
            | {
                "reason": facts.events(view, CHINESE),
                "lots": facts.lots(view),
                "evaluation": facts.hazard(view),
                "conformity": _conformity(view),
                "classification": facts.classes_zh(view),
                "measures": facts_zh.actions(view),
                "treatment": plan.get("destruction_method"),
            }
        )
        return Filled(values, _untranslated(view, "reason"))


def _conformity(view: RecordView) -> str | None:
    said = [
        f"{each.line}：强制性标准 {each.form.conformity.meets_standards.value}，"
        f"产品技术要求 {each.form.conformity.meets_registered_requirements.value}。{each.form.conformity.rationale}"
        for each in view.evaluations
        if each.form.conformity is not None
    ]
    return "\n".join(said) or None


class Publication(_Identified):
    """召回信息公布 (Art. 14): text for the website of NMPA or the province, and for the media."""

    KIND: ClassVar[str] = "cn_publication"
    TITLE: ClassVar[str] = "Publication of the recall"
    TITLE_ZH: ClassVar[str] = "医疗器械召回信息公布"
    LAW: ClassVar[str] = "Order 29 Art. 14, 15"

    level: Annotated[Text | None, About("Art. 14", "Recall level", "召回级别", Role.APPROVER, _UNDECIDED)] = None
    reason: Annotated[Text | None, About("Art. 15", "Reason", "召回原因", Role.QA)] = None
    hazard: Annotated[Text | None, About("Art. 15", "Hazard", "可能的危害", Role.MEDICAL)] = None
    requirements: Annotated[
        Text | None,
        About(
            "Art. 15",
            "What users are to do",
            "召回要求（立即停止销售和使用等）",
            Role.QA,
            "no notice in Chinese is drafted",
        ),
    ] = None
    handling: Annotated[
        Text | None, About("Art. 15", "How the product is handled", "召回处理方式", Role.QA, _UNSIGNED)
    ] = None
    phone: Annotated[Text | None, About("Art. 14", "Telephone for the public", "咨询电话")] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """The users' instructions are those of the Chinese notice, so that both say the same."""
        notices = [each for each in view.communications if each.language == CHINESE and each.channel == "email"]
        newest = max((each.notice_version for each in notices), default=0)
        values = _identified(view) | {
            "level": facts_zh.level(view),
            "reason": facts.text_in(view.reason, CHINESE),
            "hazard": facts.text_in(view.hazard, CHINESE),
            "requirements": facts.first(each.text for each in notices if each.notice_version == newest),
            "handling": facts_zh.actions(view),
            "phone": view.firm.phone,
        }
        return Filled(values, _untranslated(view, "reason", "hazard"))


class ProgressReport(_Identified):
    """召回计划实施情况报告 (Art. 20): at the interval the plan states."""

    KIND: ClassVar[str] = "cn_progress"
    TITLE: ClassVar[str] = "Report on the implementation of the recall plan"
    TITLE_ZH: ClassVar[str] = "召回计划实施情况报告"
    LAW: ClassVar[str] = "Order 29 Art. 20"

    report_sequence: Annotated[int | None, About("Art. 20", "Report number in the series", "报告序号")] = None
    notified: Annotated[
        Text | None, About("Art. 20", "Notification and answers", "通知和答复情况", Role.QA, _UNTOLD)
    ] = None
    quantities: Annotated[Text | None, About("Art. 20", "Quantities", "数量情况", Role.QA, _UNTRACED)] = None
    balance: Annotated[
        tuple[BalanceRow, ...], About("Art. 20", "Batch by batch", "各批次情况", Role.QA, _UNTRACED)
    ] = ()
    silent: Annotated[
        tuple[SilentRow, ...], About("Art. 20", "No answer", "未答复单位", Role.QA, "every consignee told has answered")
    ] = ()
    harm: Annotated[
        tuple[HarmRow, ...], About("Art. 20", "Harm reported", "伤害报告", Role.QA, "no complaint is on record")
    ] = ()
    plan_changes: Annotated[Text | None, About("Art. 19", "Changes of the plan", "召回计划变更", Role.QA)] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Counted from the record at the moment of drafting."""
        values = _identified(view) | {
            "report_sequence": view.owed.number,
            "notified": facts_zh.notified(view),
            "quantities": facts_zh.balance(view),
            "balance": facts.balance(view),
            "silent": facts.silent(view),
            "harm": facts.harms(view),
        }
        answered = view.progress.notified and not view.progress.silent
        nothing = facts.none_reported(view, "harm") | ({"silent"} if answered else set())
        return Filled(values, {} if view.progress.notified else {"silent": _UNTOLD}, nothing)


class Summary(_Identified):
    """召回总结评估报告 (Art. 22): within ten working days after completion."""

    KIND: ClassVar[str] = "cn_summary"
    TITLE: ClassVar[str] = "Recall summary and evaluation report"
    TITLE_ZH: ClassVar[str] = "召回总结评估报告"
    LAW: ClassVar[str] = "Order 29 Art. 22"

    level: Annotated[Text | None, About("Art. 13", "Recall level", "召回级别", Role.APPROVER, _UNDECIDED)] = None
    reason: Annotated[Text | None, About("Art. 22", "Reason", "召回原因", Role.QA)] = None
    completed_on: Annotated[
        Text | None, About("Art. 22", "Completed on", "召回完成日期", Role.QA, "the recall is not completed")
    ] = None
    notified: Annotated[
        Text | None, About("Art. 22", "Notification and answers", "通知和答复情况", Role.QA, _UNTOLD)
    ] = None
    consignees: Annotated[
        tuple[ConsigneeRow, ...],
        About("Art. 22", "Consignees in China", "境内购货单位", Role.QA, "no consignee in China is traced"),
    ] = ()
    balance: Annotated[
        tuple[BalanceRow, ...], About("Art. 22", "Batch by batch", "各批次召回情况", Role.QA, _UNTRACED)
    ] = ()
    quantities: Annotated[Text | None, About("Art. 22", "Quantities", "数量汇总", Role.QA, _UNTRACED)] = None
    treatment: Annotated[
        tuple[DisposedRow, ...],
        About("Art. 21", "Treatment of recalled products", "召回产品处理情况", Role.QA, "no disposition is on record"),
    ] = ()
    destruction_supervision: Annotated[
        Text | None, About("Art. 21", "Supervision of destruction by the regulator", "监督销毁情况")
    ] = None
    effectiveness: Annotated[
        Text | None, About("Art. 22", "Evaluation of the effect", "召回效果评估", Role.QA, "no sample is drawn yet")
    ] = None
    cause: Annotated[
        tuple[CapaRow, ...],
        About("Art. 22", "Cause and corrective action", "原因分析和整改措施", Role.QA, "no CAPA is opened"),
    ] = ()
    communications: Annotated[
        tuple[CommunicationRow, ...], About("Art. 22", "Notices", "召回通知", Role.APPROVER, "no notice is drafted")
    ] = ()

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """The whole recall at its end."""
        done = view.clocks.get("completion")
        values = _identified(view) | {
            "level": facts_zh.level(view),
            "reason": facts.events(view, CHINESE),
            "completed_on": done.date().isoformat() if done else None,
            "notified": facts_zh.notified(view),
            "consignees": facts.consignees(view, country="CN"),
            "balance": facts.balance(view),
            "quantities": facts_zh.balance(view),
            "treatment": facts.disposed(view),
            "effectiveness": facts_zh.effectiveness(view),
            "cause": facts.capas(view),
            "communications": facts.communications(view),
        }
        return Filled(values, _untranslated(view, "reason"))


class AdverseEvent(_Identified):
    """医疗器械不良事件报告 on harm reported during the recall (SAMR/NHC Order 1 of 2018, Art. 25)."""

    KIND: ClassVar[str] = "cn_adverse_event"
    TITLE: ClassVar[str] = "Adverse event report"
    TITLE_ZH: ClassVar[str] = "医疗器械不良事件报告"
    LAW: ClassVar[str] = "医疗器械不良事件监测和再评价管理办法 Art. 25"

    event: Annotated[
        tuple[HarmRow, ...],
        About("Art. 25", "Event as reported", "事件情况", Role.QA, "no complaint belongs to this report"),
    ] = ()
    event_date: Annotated[Text | None, About("Art. 25", "Date of the event", "事件发生日期", Role.QA)] = None
    reporter: Annotated[
        Text | None, About("Art. 25", "Facility", "使用单位", Role.QA, "the complaint names no consignee")
    ] = None
    lot: Annotated[Text | None, About("Art. 25", "Batch", "涉及批号", Role.QA, "the complaint names no lot")] = None
    measures: Annotated[Text | None, About("Art. 25", "Measures", "已采取措施", Role.QA, _UNSIGNED)] = None
    cause_analysis: Annotated[Text | None, About("Art. 25", "Preliminary analysis", "初步原因分析", Role.QA)] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """The complaint this report is owed for."""
        harm = next((each for each in view.harms if each.sequence == view.owed.complaint), None)
        values = _identified(view) | {
            "event": tuple(each for each in facts.harms(view) if harm and each.number == harm.sequence),
            "reporter": harm.reporter if harm else None,
            "lot": harm.lot if harm else None,
            "measures": facts_zh.actions(view),
        }
        return Filled(values, {})


__all__ = ["AdverseEvent", "AssessmentAndPlan", "EventForm", "ProgressReport", "Publication", "Summary"]
