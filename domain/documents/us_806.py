"""United States, 21 CFR part 806: the report of a correction or removal, its amendment, the record where none is owed.

Fields follow 806.10(c)(1) to (12) and 806.20(b); (13), what is missing and why, is the list every draft carries.
"""

from typing import Annotated, ClassVar

from domain.documents import facts
from domain.documents.form import About, Document, Filled, Text
from domain.documents.record import RecordView
from domain.documents.rows import ClassRow, CommunicationRow, ConsigneeRow, DeviceRow, HarmRow, LotRow
from domain.mass_balance import plain
from domain.roles import Role

_NO_REGISTRATION = "0000000"
_ACTION = {"removal": "R", "correction": "C"}


def report_number(view: RecordView) -> str | None:
    """`<registration>-<m/d/yy>-<sequence>-<C|R>`, zeros without registration (806.10(c)(1)); None before a decision."""
    letters = {_ACTION[line.market_action] for line in view.lines if line.market_action in _ACTION}
    if not letters:
        return None
    day = view.today
    letter = "R" if "R" in letters else "C"
    registration = view.firm.fda_registration or _NO_REGISTRATION
    return f"{registration}-{day.month}/{day.day}/{day:%y}-{view.daily_sequence:03d}-{letter}"


class _Reported(Document):
    """What 806.10(c) asks of a report and of its amendment."""

    report_number: Annotated[
        Text | None, About("806.10(c)(1)", "Report number", "报告编号", why="no correction or removal is decided")
    ] = None
    firm: Annotated[Text | None, About("806.10(c)(2)", "Manufacturer or importer", "生产企业或进口商")] = None
    firm_address: Annotated[
        Text | None, About("806.10(c)(2)", "Address of the firm", "企业地址", why="RECALL_COMPANY_ADDRESS is not set")
    ] = None
    firm_phone: Annotated[Text | None, About("806.10(c)(2)", "Telephone of the firm", "企业电话")] = None
    responsible_person: Annotated[
        Text | None,
        About("806.10(c)(2)", "Responsible person: name, title, address, telephone", "负责人：姓名、职务、地址、电话"),
    ] = None
    brand_and_common_name: Annotated[Text | None, About("806.10(c)(3)", "Brand and common name", "商品名和通用名")] = (
        None
    )
    classification_name: Annotated[
        Text | None, About("806.10(c)(3)", "Classification name and product code", "分类名称和产品代码")
    ] = None
    intended_use: Annotated[Text | None, About("806.10(c)(3)", "Intended use", "预期用途")] = None
    marketing_status: Annotated[
        Text | None,
        About("806.10(c)(4)", "Marketing status: 510(k), PMA or other number", "上市状态：510(k)、PMA 等编号"),
    ] = None
    device_listing: Annotated[Text | None, About("806.10(c)(4)", "Device listing number", "产品列名编号")] = None
    devices: Annotated[tuple[DeviceRow, ...], About("806.10(c)(5)", "Devices, UDI and lots", "产品、UDI 和批号")] = ()
    other_manufacturer: Annotated[
        Text | None,
        About(
            "806.10(c)(6)", "Manufacturer, where another: name, address, contact", "其他生产企业：名称、地址、联系人"
        ),
    ] = None
    events: Annotated[Text | None, About("806.10(c)(7)", "Events that gave rise to it", "引发措施的事件")] = None
    hazard: Annotated[Text | None, About("806.10(c)(7)", "Risk to health", "健康风险")] = None
    actions: Annotated[
        Text | None,
        About(
            "806.10(c)(7)",
            "Actions taken and expected",
            "已采取和拟采取的措施",
            Role.QA,
            "the recall strategy is not signed",
        ),
    ] = None
    classification: Annotated[
        tuple[ClassRow, ...], About("806.10(c)(7)", "Classification", "分级", Role.APPROVER, "no class is decided")
    ] = ()
    injuries: Annotated[
        Text | None,
        About("806.10(c)(8)", "Illness or injuries", "疾病或伤害", Role.MEDICAL, "no evaluation is signed"),
    ] = None
    harm_reports: Annotated[
        tuple[HarmRow, ...],
        About(
            "806.10(c)(8)", "Reports of harm and MDR numbers", "伤害报告和 MDR 编号", why="no complaint is on record"
        ),
    ] = ()
    total_devices: Annotated[
        Text | None,
        About("806.10(c)(9)", "Total number of devices affected", "受影响产品总数", Role.QA, "the scope is not traced"),
    ] = None
    lots: Annotated[
        tuple[LotRow, ...],
        About(
            "806.10(c)(9), (10)",
            "Lots: number made, dates of manufacture and expiry",
            "批次：数量、生产日期、有效期",
            Role.QA,
            "the scope is not traced",
        ),
    ] = ()
    expected_life: Annotated[
        Text | None, About("806.10(c)(10)", "Expiration or expected life", "有效期或预期使用寿命")
    ] = None
    consignees: Annotated[
        tuple[ConsigneeRow, ...],
        About(
            "806.10(c)(11)",
            "All consignees, dates and quantities",
            "全部购货单位、日期和数量",
            Role.QA,
            "no consignee is traced",
        ),
    ] = ()
    consignee_addresses: Annotated[
        Text | None,
        About(
            "806.10(c)(11)",
            "Postal addresses of the consignees (annex)",
            "购货单位地址（附件）",
            Role.QA,
            "partner records hold no postal address",
        ),
    ] = None
    communications: Annotated[
        tuple[CommunicationRow, ...],
        About(
            "806.10(c)(12)",
            "Copies of all communications",
            "全部沟通文件副本",
            Role.APPROVER,
            "no notice is drafted yet",
        ),
    ] = ()
    other_recipients: Annotated[
        Text | None,
        About("806.10(c)(12)", "Other recipients of communications: names and addresses", "其他收件人：姓名和地址"),
    ] = None


def _reported(view: RecordView, added_since: int = 0) -> dict[str, object]:
    lives = sorted({each.expected_life_years for each in view.products if each.expected_life_years is not None})
    made, shipped = facts.made(view), facts.shipped(view)
    return {
        "report_number": report_number(view),
        "firm": view.firm.name,
        "firm_address": view.firm.address,
        "firm_phone": view.firm.phone,
        "brand_and_common_name": "; ".join(facts.named(each) for each in view.products) or None,
        "devices": facts.devices(view),
        "other_manufacturer": facts.other_makers(view),
        "events": facts.events(view, "en"),
        "hazard": facts.text_in(view.hazard, "en"),
        "actions": facts.actions(view),
        "classification": facts.classes(view),
        "injuries": facts.injuries(view),
        "harm_reports": facts.harms(view),
        "total_devices": None
        if shipped is None
        else f"{plain(shipped)} distributed; {plain(made) if made is not None else 'number made not recorded'} made",
        "lots": facts.lots(view, added_since),
        "expected_life": ", ".join(f"{years} years" for years in lives) or facts.expiries(view),
        "consignees": facts.consignees(view, added_since),
        "communications": facts.communications(view),
    }


def _why(view: RecordView) -> dict[str, str]:
    return dict.fromkeys(("events", "hazard"), facts.untranslated(view, "en"))


def _nothing(view: RecordView) -> frozenset[str]:
    return facts.none_reported(view, "harm_reports") | ({"other_manufacturer"} if facts.all_ours(view) else set())


class Report806(_Reported):
    """Written report of a correction or removal (21 CFR 806.10(b), (c))."""

    KIND: ClassVar[str] = "us_806_report"
    TITLE: ClassVar[str] = "Report of correction or removal (21 CFR 806.10)"
    TITLE_ZH: ClassVar[str] = "纠正或移除报告（21 CFR 806.10）"
    LAW: ClassVar[str] = "21 CFR 806.10(c)"

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Everything the record holds."""
        return Filled(_reported(view), _why(view), _nothing(view))


class Amendment806(_Reported):
    """Amendment for additional lots or units (21 CFR 806.10(d)): cites the original report, lists what was added."""

    KIND: ClassVar[str] = "us_806_amendment"
    TITLE: ClassVar[str] = "Amendment to a report of correction or removal (21 CFR 806.10(d))"
    TITLE_ZH: ClassVar[str] = "纠正或移除报告的修订（21 CFR 806.10(d)）"
    LAW: ClassVar[str] = "21 CFR 806.10(d)"

    original_report: Annotated[
        Text | None,
        About(
            "806.10(d)", "Number of the original report", "原报告编号", why="no 806 report of this recall is on file"
        ),
    ] = None
    reason_for_extension: Annotated[
        Text | None, About("806.10(d)", "Why the action was extended", "扩大范围的原因", Role.QA)
    ] = None

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """As the report, with the lots and consignees that the extension added."""
        since = view.owed.scope_version or view.scope_version
        earlier = [each for each in view.earlier if each.kind == Report806.KIND]
        values = _reported(view, since) | {
            "original_report": facts.first(each.report_number for each in reversed(earlier)),
            "reason_for_extension": view.extension_reasons.get(since),
        }
        return Filled(
            values, _why(view) | {"reason_for_extension": f"scope version {since} states no reason"}, _nothing(view)
        )


class Record806(Document):
    """Record of a correction or removal that needs no report (21 CFR 806.20(b))."""

    KIND: ClassVar[str] = "us_806_20_record"
    TITLE: ClassVar[str] = "Record of a correction or removal not required to be reported (21 CFR 806.20)"
    TITLE_ZH: ClassVar[str] = "无需报告的纠正或移除记录（21 CFR 806.20）"
    LAW: ClassVar[str] = "21 CFR 806.20(b)"

    brand_and_common_name: Annotated[Text | None, About("806.20(b)(1)", "Brand and common name", "商品名和通用名")] = (
        None
    )
    classification_name: Annotated[
        Text | None, About("806.20(b)(1)", "Classification name and product code", "分类名称和产品代码")
    ] = None
    intended_use: Annotated[Text | None, About("806.20(b)(1)", "Intended use", "预期用途")] = None
    devices: Annotated[tuple[DeviceRow, ...], About("806.20(b)(2)", "Devices, UDI and lots", "产品、UDI 和批号")] = ()
    lots: Annotated[tuple[LotRow, ...], About("806.20(b)(2)", "Lots", "批次", Role.QA, "the scope is not traced")] = ()
    events: Annotated[Text | None, About("806.20(b)(3)", "Events that gave rise to it", "引发措施的事件")] = None
    actions: Annotated[
        Text | None,
        About(
            "806.20(b)(3)",
            "Action taken or expected",
            "已采取和拟采取的措施",
            Role.QA,
            "the recall strategy is not signed",
        ),
    ] = None
    justification: Annotated[
        Text | None,
        About(
            "806.20(b)(4)",
            "Justification for not reporting",
            "不报告的理由",
            Role.REGULATORY,
            "no justification is signed",
        ),
    ] = None
    evaluation: Annotated[
        Text | None,
        About("806.20(b)(4)", "Health-hazard evaluation", "健康危害评估", Role.MEDICAL, "no evaluation is signed"),
    ] = None
    classification: Annotated[
        tuple[ClassRow, ...],
        About("806.20(b)(4)", "Conclusion and follow-up", "结论和后续", Role.APPROVER, "no class is decided"),
    ] = ()
    reviewed_by: Annotated[
        Text | None,
        About("806.20(b)(4)", "Reviewed by a designated person", "指定人员审核", Role.APPROVER, "no class is decided"),
    ] = None
    communications: Annotated[
        tuple[CommunicationRow, ...],
        About("806.20(b)(5)", "Copies of all communications", "全部沟通文件副本", Role.APPROVER, "none is drafted yet"),
    ] = ()

    @classmethod
    def fill(cls, view: RecordView) -> Filled:
        """Justification and conclusions come from the assessment."""
        shared = _reported(view)
        names = ("brand_and_common_name", "devices", "lots", "events", "actions", "classification", "communications")
        reviewers = sorted({f"{each.decided_by} on {each.decided_at.date().isoformat()}" for each in view.lines})
        values = {name: shared[name] for name in names} | {
            "justification": "\n".join(view.justifications) or None,
            "evaluation": facts.hazard(view),
            "reviewed_by": ", ".join(reviewers) or None,
        }
        return Filled(values, _why(view))


__all__ = ["Amendment806", "Record806", "Report806", "report_number"]
