"""Coded values in words, in the document's language: what the record keeps as `market_withdrawal` a reader reads."""

from typing import Final

_ZH: Final = {
    "acknowledged": "已收到",
    "answered": "已答复",
    "authority": "监管部门",
    "closed": "已关闭",
    "complaint": "投诉",
    "correction": "纠正",
    "death": "死亡",
    "destroy": "销毁",
    "documented": "已记录",
    "email": "电子邮件",
    "escalation": "升级通知",
    "exchange": "更换",
    "failed": "未通过",
    "field_correction": "现场纠正",
    "follow_up": "跟进报告",
    "final": "最终报告",
    "fsca": "现场安全纠正措施",
    "global": "全球",
    "initial": "首次",
    "internal_test": "内部检验",
    "local": "本地",
    "market_withdrawal": "市场撤回",
    "national": "全国",
    "no": "否",
    "none": "无",
    "open": "进行中",
    "other": "其他",
    "our shipment records": "本企业发货记录",
    "passed": "通过",
    "phone": "电话",
    "quarantine": "隔离",
    "reaction": "反应",
    "regional": "区域",
    "release": "放行",
    "reminder": "提醒",
    "removal": "召回",
    "return": "退回",
    "rework": "返工",
    "scrap": "报废",
    "serious": "严重伤害",
    "sms": "短信",
    "stated by another consignee": "其他购货单位陈述",
    "stock_recovery": "库存收回",
    "supplier": "供应商",
    "unknown": "后果不明",
    "use_as_is": "让步使用",
    "yes": "是",
}


def word(value: str, language: str = "zh-CN") -> str:
    """A coded value in words; one that nobody translated is shown as it is, readable."""
    if language.startswith("zh") and value in _ZH:
        return _ZH[value]
    return value.replace("_", " ")


__all__ = ["word"]
