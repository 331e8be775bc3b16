"""The tables documents share: devices, lots, consignees, communications, harm, classes, quantities."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime

from domain.documents.form import Column, Row
from domain.roles import Role

QA, REGULATORY = Role.QA, Role.REGULATORY


class DeviceRow(Row):
    """One affected product."""

    name: Annotated[str, Column("Device", "产品名称")]
    brand: Annotated[str | None, Column("Brand", "商标")]
    code: Annotated[str, Column("Catalogue number", "货号")]
    udi_di: Annotated[str | None, Column("UDI-DI / GTIN", "UDI-DI / GTIN", REGULATORY)]
    device_class: Annotated[str | None, Column("Device class", "管理类别", REGULATORY)]
    manufacturer: Annotated[str | None, Column("Manufacturer", "生产企业", REGULATORY)]
    lots: Annotated[str, Column("Lots", "批号")]


class LotRow(Row):
    """One affected lot."""

    product: Annotated[str, Column("Device", "产品名称")]
    lot: Annotated[str, Column("Lot", "批号")]
    site: Annotated[str | None, Column("Made at", "生产地点")]
    made_on: Annotated[date | None, Column("Made on", "生产日期", QA)]
    expires_on: Annotated[date | None, Column("Expires on", "有效期至")]
    made: Annotated[Decimal | None, Column("Units made in the lot", "本批生产数量", QA)]
    shipped: Annotated[Decimal, Column("Units distributed", "已销售数量")]


class ConsigneeRow(Row):
    """What one consignee received of one lot, with dates and quantities."""

    name: Annotated[str, Column("Consignee", "购货单位")]
    country: Annotated[str | None, Column("Country", "国家或地区", QA)]
    phone: Annotated[str | None, Column("Telephone", "电话", QA)]
    lot: Annotated[str, Column("Lot", "批号")]
    quantity: Annotated[Decimal, Column("Units", "数量")]
    shipments: Annotated[str | None, Column("Dates and units of each shipment", "每次发货日期和数量", QA)]
    basis: Annotated[str, Column("Known from", "来源")]


class CommunicationRow(Row):
    """A copy of one communication about the action."""

    notice: Annotated[int, Column("Notice version", "通知版本")]
    step: Annotated[str, Column("Message", "种类")]
    channel: Annotated[str, Column("Channel", "渠道")]
    language: Annotated[str, Column("Language", "语言")]
    approved_at: Annotated[AwareDatetime | None, Column("Approved", "批准时间", Role.APPROVER)]
    sha256: Annotated[str, Column("SHA-256", "SHA-256")]
    text: Annotated[str, Column("Text", "内容")]


class HarmRow(Row):
    """One report of harm."""

    number: Annotated[int, Column("Complaint", "投诉编号")]
    aware: Annotated[AwareDatetime, Column("Firm aware since", "知悉时间")]
    severity: Annotated[str, Column("Worst outcome", "最严重后果")]
    patients: Annotated[int | None, Column("Patients", "患者人数", QA)]
    description: Annotated[str, Column("As reported", "报告内容")]
    report: Annotated[str | None, Column("Report number", "报告编号", REGULATORY)]


class ClassRow(Row):
    """The class of one product line, as decided by us and, where it has spoken, by the authority."""

    line: Annotated[str, Column("Product line", "产品线")]
    level: Annotated[str, Column("Level", "级别")]
    action: Annotated[str, Column("Action", "措施")]
    decided_by: Annotated[str, Column("Decided by", "决定人")]
    decided_at: Annotated[AwareDatetime, Column("Decided at", "决定时间")]
    reasons: Annotated[str, Column("Reasons", "依据")]
    authority_class: Annotated[str | None, Column("Authority's own class", "监管部门定级")]


class BalanceRow(Row):
    """Mass balance of one lot in units of use."""

    product: Annotated[str, Column("Device", "产品")]
    lot: Annotated[str, Column("Lot", "批号")]
    produced: Annotated[Decimal | None, Column("Produced", "生产", QA)]
    distributed: Annotated[Decimal, Column("Distributed", "销售")]
    own_stock: Annotated[Decimal, Column("Own stock", "库存")]
    returned: Annotated[Decimal, Column("Returned", "退回")]
    destroyed: Annotated[Decimal, Column("Destroyed in place", "就地销毁")]
    corrected: Annotated[Decimal, Column("Corrected", "已纠正")]
    used: Annotated[Decimal, Column("Used or implanted", "已使用或植入")]
    pending: Annotated[Decimal, Column("Held, pending", "封存待处理")]
    unaccounted: Annotated[Decimal, Column("Unaccounted", "未能核实")]


class CountryRow(Row):
    """Distribution to one country."""

    country: Annotated[str | None, Column("Country", "国家或地区", QA)]
    consignees: Annotated[int, Column("Consignees", "购货单位数")]
    units: Annotated[Decimal, Column("Units", "数量")]


class SilentRow(Row):
    """A consignee that was told and has not responded."""

    name: Annotated[str, Column("Consignee", "购货单位")]
    country: Annotated[str | None, Column("Country", "国家或地区")]


class DisposedRow(Row):
    """What was decided on and carried out, by kind."""

    kind: Annotated[str, Column("Disposition", "处理方式")]
    decided: Annotated[Decimal, Column("Units decided", "决定数量")]
    done: Annotated[Decimal, Column("Units done", "完成数量")]


class CapaRow(Row):
    """One corrective or preventive action file."""

    title: Annotated[str, Column("CAPA", "纠正和预防措施")]
    state: Annotated[str, Column("State", "状态")]
    cause: Annotated[str | None, Column("Cause", "原因", QA)]
    actions: Annotated[str | None, Column("Actions", "措施", QA)]
    effective: Annotated[bool | None, Column("Effect verified", "效果已验证", QA)]


__all__ = [
    "BalanceRow",
    "CapaRow",
    "ClassRow",
    "CommunicationRow",
    "ConsigneeRow",
    "CountryRow",
    "DeviceRow",
    "DisposedRow",
    "HarmRow",
    "LotRow",
    "SilentRow",
]
