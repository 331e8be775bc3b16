"""European Union, MDR 2017/745: incident report, FSCA report (initial, follow-up, final), draft field safety notice.

Blocks follow the manufacturer incident report, the FSCA report form and the Commission's template of a field safety
notice (MDCG 2023-3 Rev.2); what only the authority's own form knows (administrative numbers) is stated by a person.
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
    CountryRow,
    DeviceRow,
    DisposedRow,
    HarmRow,
    LotRow,
)
from domain.roles import Role

_UNTRACED = "the scope is not traced"
_UNSIGNED = "the recall strategy is not signed"
_FORWARD = (
    "This notice needs to be passed on to all those who need to be aware within your organisation "
    "or to any organisation where the potentially affected devices have been transferred."
)
"""The sentence of the Commission's template."""
_NO_SRN = "RECALL_EU_SRN is not set"


def _firm(view: RecordView) -> dict[str, object]:
    return {
        "manufacturer": ", ".join(
            each for each in (view.firm.name, view.firm.address, view.firm.phone, view.firm.email) if each
        ),
        "srn": view.firm.eu_srn,
    }


def _type(view: RecordView) -> str:
    """Initial until something was submitted for the same obligation; then a follow-up."""
    return "follow-up" if any(each.subject == view.owed.subject for each in view.earlier) else "initial"


class IncidentReport(Document):
    """Report of a serious incident (MDR Art. 87(1)(a)); an initial one may be incomplete (87(6))."""

    KIND: ClassVar[str] = "eu_incident_report"
    TITLE: ClassVar[str] = "Manufacturer incident report (MDR Art. 87)"
    TITLE_ZH: ClassVar[str] = "制造商严重事件报告（MDR 第 87 条）"
    LAW: ClassVar[str] = "MDR Art. 87(1)(a), (2) to (7)"

    report_type: Annotated[Text | None, About("MIR 1.1", "Type of report", "报告类型")] = None
    classification: Annotated[
        tuple[ClassRow, ...],
        About("MIR 1.1", "Classification of the incident", "事件分级", Role.APPROVER, "no class is decided"),
    ] = ()
    awareness: Annotated[Text | None, About("MIR 1.1", "Date of awareness of the manufacturer", "知悉日期")] = None
    manufacturer: Annotated[Text | None, About("MIR 1.3", "Manufacturer", "制造商")] = None
    srn: Annotated[Text | None, About("MIR 1.3", "Single registration number", "单一注册号", why=_NO_SRN)] = None
    authorised_representative: Annotated[Text | None, About("MIR 1.3", "Authorised representative", "欧盟授权代表")] = (
        None
    )
    notified_body: Annotated[Text | None, About("MIR 2", "Notified body and certificate", "公告机构和证书")] = None
    devices: Annotated[
        tuple[DeviceRow, ...], About("MIR 2", "Devices, UDI and lots", "产品、UDI 和批号", Role.QA, _UNTRACED)
    ] = ()
    incident: Annotated[Text | None, About("MIR 3", "Description of the incident", "事件描述", Role.QA)] = None
    incident_date: Annotated[Text | None, About("MIR 3", "Date of the incident", "事件日期", Role.QA)] = None
    incident_place: Annotated[Text | None, About("MIR 3", "Place of the incident", "事件地点", Role.QA)] = None
    harm: Annotated[
        tuple[HarmRow, ...], About("MIR 3", "Harm reported", "已报告的伤害", Role.QA, "no complaint is on record")
    ] = ()
    hazard: Annotated[Text | None, About("MIR 3", "Clinical signs and hazard", "临床表现和危害", Role.MEDICAL)] = None
    preliminary_comments: Annotated[
        Text | None,
        About(
            "MIR 4", "Manufacturer's preliminary evaluation", "制造商初步评估", Role.MEDICAL, "no evaluation is signed"
        ),
    ] = None
    cause: Annotated[
        tuple[CapaRow, ...],
        About("MIR 4", "Root cause and corrective action", "根本原因和纠正措施", Role.QA, "no CAPA is opened"),
    ] = ()
    countries: Annotated[
        tuple[CountryRow, ...], About("MIR 2", "Countries supplied", "销售国家", Role.QA, _UNTRACED)
    ] = ()

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """For harm reported during the action: that complaint; else the event behind the recall."""
        told = tuple(each for each in facts.harms(view) if view.owed.complaint in (None, each.number))
        own = next((each for each in view.harms if each.sequence == view.owed.complaint), None)
        aware = own.awareness_at if own else view.awareness_at
        values = _firm(view) | {
            "report_type": _type(view),
            "classification": facts.classes(view),
            "awareness": f"{aware:%Y-%m-%d %H:%M} UTC",
            "devices": facts.devices(view),
            "incident": own.description if own else facts.events(view, "en"),
            "harm": told,
            "hazard": facts.text_in(view.hazard, "en"),
            "preliminary_comments": facts.hazard(view),
            "cause": facts.capas(view),
            "countries": facts.countries(view),
        }
        texts = dict.fromkeys(("incident", "hazard"), facts.untranslated(view, "en"))
        return Filled(values, texts, facts.none_reported(view, "harm"))


class _Fsca(Document):
    """Blocks common to every FSCA report."""

    LAW: ClassVar[str] = "MDR Art. 87(1)(b), 87(8), 89(5)"

    report_type: Annotated[Text | None, About("FSCA 1", "Type of report", "报告类型")] = None
    authority_reference: Annotated[
        Text | None,
        About("FSCA 1", "Authority's reference number", "监管部门编号", why="the authority has given none yet"),
    ] = None
    manufacturer: Annotated[Text | None, About("FSCA 2", "Manufacturer", "制造商")] = None
    srn: Annotated[Text | None, About("FSCA 2", "Single registration number", "单一注册号", why=_NO_SRN)] = None
    authorised_representative: Annotated[Text | None, About("FSCA 3", "Authorised representative", "欧盟授权代表")] = (
        None
    )
    contact_point: Annotated[Text | None, About("FSCA 4", "National contact point", "国家联系人")] = None
    devices: Annotated[
        tuple[DeviceRow, ...], About("FSCA 5", "Devices, UDI and lots", "产品、UDI 和批号", Role.QA, _UNTRACED)
    ] = ()
    lots: Annotated[tuple[LotRow, ...], About("FSCA 5", "Lots", "批次", Role.QA, _UNTRACED)] = ()
    notified_body: Annotated[Text | None, About("FSCA 5", "Notified body and certificate", "公告机构和证书")] = None
    reason: Annotated[Text | None, About("FSCA 6", "Background and reason", "背景和原因", Role.QA)] = None
    hazard: Annotated[Text | None, About("FSCA 6", "Risk, not understated", "风险（不得淡化）", Role.MEDICAL)] = None
    action: Annotated[Text | None, About("FSCA 6", "Action and justification", "措施及理由", Role.QA, _UNSIGNED)] = None
    advice: Annotated[Text | None, About("FSCA 6", "Advice on patient follow-up", "患者随访建议", Role.MEDICAL)] = None
    schedule: Annotated[Text | None, About("FSCA 6", "Time schedule", "时间计划", Role.QA)] = None
    notice: Annotated[
        tuple[CommunicationRow, ...],
        About("FSCA 7", "Field safety notice", "现场安全通知", Role.APPROVER, "no notice is drafted yet"),
    ] = ()
    countries: Annotated[
        tuple[CountryRow, ...], About("FSCA 8", "Countries concerned", "涉及国家", Role.QA, _UNTRACED)
    ] = ()


def _fsca(view: RecordView, report_type: str) -> dict[str, object]:
    return _firm(view) | {
        "report_type": report_type,
        "authority_reference": facts.first(
            each.reference for each in view.earlier if each.kind.startswith("eu_fsca") and each.reference
        ),
        "devices": facts.devices(view),
        "lots": facts.lots(view),
        "reason": facts.events(view, "en"),
        "hazard": facts.text_in(view.hazard, "en"),
        "action": facts.actions(view),
        "notice": facts.communications(view),
        "countries": facts.countries(view),
    }


def _texts(view: RecordView) -> dict[str, str]:
    return dict.fromkeys(("reason", "hazard"), facts.untranslated(view, "en"))


class FscaInitial(_Fsca):
    """FSCA report before the action starts (MDR Art. 87(8))."""

    KIND: ClassVar[str] = "eu_fsca_initial"
    TITLE: ClassVar[str] = "Field safety corrective action report: initial"
    TITLE_ZH: ClassVar[str] = "现场安全纠正措施报告：初始"

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Everything known before the start."""
        return Filled(_fsca(view, "initial"), _texts(view))


class FscaFollowUp(_Fsca):
    """FSCA report while the action runs."""

    KIND: ClassVar[str] = "eu_fsca_follow_up"
    TITLE: ClassVar[str] = "Field safety corrective action report: follow-up"
    TITLE_ZH: ClassVar[str] = "现场安全纠正措施报告：跟进"

    progress: Annotated[
        Text | None, About("FSCA 9", "Progress", "进展", Role.QA, "no consignee has been notified yet")
    ] = None
    reconciliation: Annotated[
        Text | None, About("FSCA 9", "Reconciliation so far", "截至目前的数量核对", Role.QA, _UNTRACED)
    ] = None
    harm: Annotated[
        tuple[HarmRow, ...],
        About("FSCA 9", "Harm reported since", "其间报告的伤害", Role.QA, "no complaint is on record"),
    ] = ()

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """As the initial report, with progress."""
        values = _fsca(view, "follow-up") | {
            "progress": facts.progress(view),
            "reconciliation": facts.summary_of_balance(view),
            "harm": facts.harms(view),
        }
        return Filled(values, _texts(view), facts.none_reported(view, "harm"))


class FscaFinal(_Fsca):
    """FSCA report at the end: progress and reconciliation are mandatory."""

    KIND: ClassVar[str] = "eu_fsca_final"
    TITLE: ClassVar[str] = "Field safety corrective action report: final"
    TITLE_ZH: ClassVar[str] = "现场安全纠正措施报告：最终"

    progress: Annotated[
        Text | None, About("FSCA 9", "Progress", "进展", Role.QA, "no consignee has been notified yet")
    ] = None
    reconciliation: Annotated[
        tuple[BalanceRow, ...], About("FSCA 9", "Reconciliation", "数量核对", Role.QA, _UNTRACED)
    ] = ()
    effectiveness: Annotated[
        Text | None, About("FSCA 9", "Effectiveness", "有效性", Role.QA, "no sample is drawn yet")
    ] = None
    disposition: Annotated[
        tuple[DisposedRow, ...],
        About("FSCA 9", "Disposition of the devices", "产品处理", Role.QA, "no disposition is on record"),
    ] = ()
    cause: Annotated[
        tuple[CapaRow, ...],
        About("MDR 89(5)", "Cause and corrective action", "原因和纠正措施", Role.QA, "no CAPA is opened"),
    ] = ()
    completed_on: Annotated[
        Text | None, About("FSCA 9", "Completed on", "完成日期", Role.QA, "the action is not completed")
    ] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """With the reconciliation lot by lot."""
        done = view.clocks.get("completion")
        values = _fsca(view, "final") | {
            "progress": facts.progress(view),
            "reconciliation": facts.balance(view),
            "effectiveness": facts.effectiveness(view),
            "disposition": facts.disposed(view),
            "cause": facts.capas(view),
            "completed_on": done.date().isoformat() if done else None,
        }
        return Filled(values, _texts(view))


class SafetyNotice(Document):
    """Draft field safety notice for comments before it goes out (MDR Art. 89(8))."""

    KIND: ClassVar[str] = "eu_fsn_draft"
    TITLE: ClassVar[str] = "Field safety notice: draft for comments"
    TITLE_ZH: ClassVar[str] = "现场安全通知：征求意见稿"
    LAW: ClassVar[str] = "MDR Art. 89(8); MDCG 2023-3 Rev.2, question 20"

    reference: Annotated[Text | None, About("FSN header", "Reference", "编号")] = None
    devices: Annotated[
        tuple[DeviceRow, ...], About("FSN 1", "Devices, UDI-DI and lots", "产品、UDI-DI 和批号", Role.QA, _UNTRACED)
    ] = ()
    clinical_purpose: Annotated[Text | None, About("FSN 1", "Primary clinical purpose", "主要临床用途")] = None
    srn: Annotated[Text | None, About("FSN 1", "Single registration number", "单一注册号", why=_NO_SRN)] = None
    problem: Annotated[Text | None, About("FSN 2", "Reason: the problem", "原因：产品问题", Role.QA)] = None
    hazard: Annotated[
        Text | None, About("FSN 2", "Hazard giving rise to the action", "引发措施的危害", Role.MEDICAL)
    ] = None
    probability: Annotated[
        Text | None,
        About("FSN 2", "Probability of the problem", "问题发生概率", Role.MEDICAL, "no evaluation is signed"),
    ] = None
    user_actions: Annotated[
        Text | None,
        About(
            "FSN 3",
            "Action to be taken by the user, by when",
            "用户应采取的措施和期限",
            Role.QA,
            "no notice is drafted",
        ),
    ] = None
    patient_follow_up: Annotated[Text | None, About("FSN 3", "Patient follow-up", "患者随访", Role.MEDICAL)] = None
    manufacturer_action: Annotated[
        Text | None, About("FSN 3", "Action by the manufacturer", "制造商措施", Role.QA, _UNSIGNED)
    ] = None
    update_of: Annotated[
        Text | None, About("FSN 4", "Update of an earlier notice", "对先前通知的更新", why="this is the first notice")
    ] = None
    manufacturer: Annotated[Text | None, About("FSN 4", "Manufacturer", "制造商")] = None
    pass_on: Annotated[Text | None, About("FSN", "Passing on the notice", "转发要求")] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """From the notice's own draft where it exists, so that authority and users read the same (89(8))."""
        drafted = [each for each in view.communications if each.channel == "email" and each.language == "en"]
        newest = max((each.notice_version for each in drafted), default=0)
        text = facts.first(each.text for each in drafted if each.notice_version == newest)
        likely = ", ".join(
            f"{each.line}: {each.form.likelihood.degree.value} ({each.form.likelihood.rationale})"
            for each in view.evaluations
        )
        values = _firm(view) | {
            "reference": f"{view.number}{f' v{newest}' if newest else ''}",
            "devices": facts.devices(view),
            "problem": facts.text_in(view.reason, "en"),
            "hazard": facts.text_in(view.hazard, "en"),
            "probability": likely or None,
            "user_actions": text,
            "manufacturer_action": facts.actions(view),
            "update_of": f"version {newest - 1}" if newest > 1 else None,
            "pass_on": _FORWARD,
        }
        texts = dict.fromkeys(("problem", "hazard"), facts.untranslated(view, "en"))
        return Filled(values, texts, frozenset() if newest > 1 else frozenset({"update_of"}))


__all__ = ["FscaFinal", "FscaFollowUp", "FscaInitial", "IncidentReport", "SafetyNotice"]
