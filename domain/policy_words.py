"""Plain words for the places and values of a regulation profile, in English and Chinese.

A place without a word of its own is named by its key with spaces, so that a new field is readable before anybody has
given it a Chinese name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.policy_parts import Basis

ORDER: Final = "#order"
"""Key under which the order of a list's entries is kept; no id can look like it."""


@dataclass(frozen=True, slots=True)
class Words:
    """The same in both languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Heading:
    """The places on the way to a value, from the outside in."""

    en: tuple[str, ...]
    zh: tuple[str, ...]


_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "notify": ("first notice to every consignee", "首次通知每个收货单位"),
    "ladder": ("silent consignees", "未答复单位"),
    "first_reminder": ("reminder", "催办"),
    "escalation": ("escalation", "升级联系"),
    "phone": ("telephone call", "电话联系"),
    "effectiveness": ("effectiveness checks", "有效性检查"),
    "obligations": ("obligations", "报告义务"),
    "gates": ("gates", "通知前的主管部门步骤"),
    "tasks": ("tasks", "任务"),
    "extra_tasks": ("extra tasks", "附加任务"),
    "branches": ("branches", "分支"),
    "approvals": ("approval rules", "审批规则"),
    "channels": ("channels", "通知渠道"),
    "closing": ("closing conditions", "关闭条件"),
    "quiet_hours": ("quiet hours", "免打扰时段"),
    "opens": ("messages from", "发送开始"),
    "closes": ("messages until", "发送结束"),
    "except_classes": ("not for class", "例外级别"),
    "hold": ("watch on stock holds", "库存封存监视"),
    "mass_balance": ("mass balance", "数量平衡"),
    "release": ("inspections before a release", "放行前的检验"),
    "checks": ("checks", "检查"),
    "inspections": ("inspections", "检验"),
    "destruction": ("destruction under the authority's eyes", "监督销毁"),
    "supplier_answers": ("answers of suppliers", "供应商答复时限"),
    "acknowledge": ("acknowledged", "确认收到"),
    "containment": ("containment", "遏制措施"),
    "cause": ("root cause", "根本原因"),
    "verification": ("proof of effect", "效果验证"),
    "countries": ("countries", "国家或地区"),
    "retention": ("retention", "保存期限"),
    "calendar": ("calendar", "日历"),
    "zone": ("time zone", "时区"),
    "decision_table": ("decision table", "判定表"),
    "levels": ("levels", "级别"),
    "actions": ("market actions", "市场行动"),
    "due": ("due", "时限"),
    "remind": ("reminder after", "提醒时间"),
    "after": ("after", "起算后"),
    "every": ("every", "间隔"),
    "role": ("role", "负责岗位"),
    "stand_in": ("stand-in", "代理岗位"),
    "signers": ("signers", "签字人"),
    "clock": ("clock", "起算事实"),
    "roll": ("roll to a working day", "顺延至工作日"),
    "when": ("when", "条件"),
    "trigger": ("trigger", "触发条件"),
    "recipient": ("recipient", "接收方"),
    "basis": ("basis", "依据类别"),
    "source": ("source", "依据"),
    "law_text": ("wording of the law", "法条原文"),
    "note": ("note", "说明"),
    "unverified": ("not yet verified", "尚未核实"),
    "valid_from": ("valid from", "生效日"),
    "valid_to": ("valid to", "失效日"),
    "version": ("version", "版本"),
    "title": ("title", "名称"),
    "title_zh": ("Chinese title", "中文名称"),
    "term": ("term", "级别名称"),
    "term_zh": ("Chinese term", "级别中文名称"),
    "level": ("level", "级别"),
    "percent": ("percent", "百分比"),
    "class": ("class", "类别"),
    "classes": ("classes", "对应类别"),
    "contact": ("whom", "联系对象"),
    "waivable": ("may be waived", "可豁免"),
    "waiver_text": ("ground of a waiver", "豁免依据"),
    "comment_window": ("time to comment", "意见期"),
    "evidence_required": ("evidence required", "须有证据"),
    "phase": ("phase", "阶段"),
    "step": ("step", "步骤"),
    "#order": ("order", "顺序"),
    "unaccounted_share": ("share that may stay unaccounted, percent", "可不明去向的百分比"),
    "watch_every": ("asked again every", "再次询问间隔"),
    "overdue_after": ("a person is told after", "告知人员时间"),
    "look_again_every": ("looked at again every", "复查间隔"),
    "years": ("years", "年数"),
    "settles": ("settles", "同时完成"),
    "record_instead": ("record owed instead", "代之以记录"),
    "outcomes": ("only after harm", "仅限伤害结果"),
    "reason": ("reason", "理由"),
    "reason_zh": ("Chinese reason", "中文理由"),
    "verified_on": ("verified on", "核实日期"),
    "verified_note": ("note on verification", "核实说明"),
}
_ENTRY: Final[Mapping[str, tuple[str, str]]] = {
    "obligations": ("Obligation", "报告义务"),
    "gates": ("Gate", "主管部门步骤"),
    "tasks": ("Task", "任务"),
    "extra_tasks": ("Extra task", "附加任务"),
    "branches": ("Branch", "分支"),
    "approvals": ("Approval rule", "审批规则"),
    "decision_table": ("Rule", "判定规则"),
    "levels": ("Level", "级别"),
    "channels": ("Channel", "渠道"),
}
"""What one entry of a list or mapping is called."""
_BASIS: Final[Mapping[str, tuple[str, str]]] = {
    Basis.LAW.value: ("law", "法规"),
    Basis.GUIDANCE.value: ("guidance", "指南"),
    Basis.HOUSE.value: ("house rule", "内部规定"),
}


def label(key: str) -> Words:
    """A key of the profile in words."""
    known = _LABELS.get(key)
    plain = key.replace("_", " ")
    return Words(*known) if known else Words(plain, plain)


def heading(path: Sequence[str], left: Any, right: Any) -> Heading:
    """The places on `path`, entries by their titles as the newer version has them."""
    en: list[str] = []
    zh: list[str] = []
    for end in range(1, len(path) + 1):
        here, collection = path[:end], path[end - 1] in _ENTRY and end < len(path)
        if collection:
            continue  # its entry follows and says what it is
        words = _entry_name(here, right, left) or label(path[end - 1])
        en.append(_capital(words.en) if not en else words.en)
        zh.append(words.zh)
    return Heading(tuple(en), tuple(zh))


def item_name(path: Sequence[str], tree: Any) -> Words:
    """How the added or removed value at `path` is called."""
    return _entry_name(path, tree) or label(path[-1])


def _entry_name(path: Sequence[str], *trees: Any) -> Words | None:
    """The name of an entry of a list or mapping of entries; None for any other place."""
    if len(path) < 2 or path[-2] not in _ENTRY or path[-1] == ORDER:
        return None
    en, zh = _ENTRY[path[-2]]
    for tree in trees:
        entry = _at(tree, path)
        if not isinstance(entry, Mapping):
            continue
        if path[-2] == "levels" and "term" in entry:
            return Words(str(entry["term"]), str(entry.get("term_zh", entry["term"])))
        if "title" in entry:
            name, name_zh = str(entry["title"]), str(entry.get("title_zh", entry["title"]))
            return Words(f"{en} {path[-1]} ({name})", f"{zh} {path[-1]}（{name_zh}）")
    name = path[-1].replace("_", " ")
    return Words(f"{en} {name}", f"{zh} {name}")


def basis_words(path: Sequence[str], tree: Any) -> Words:
    """The basis of the figure a value belongs to; empty where it belongs to none."""
    for end in range(len(path), 0, -1):
        part = _at(tree, path[:end])
        if isinstance(part, Mapping) and str(part.get("basis")) in _BASIS:
            en, zh = _BASIS[part["basis"]]
            source = part.get("source")
            if part["basis"] == Basis.HOUSE.value or not source:
                return Words(en, zh)
            return Words(f"{en}: {source}", f"{zh}：{source}")
    return Words("", "")


def value_words(value: Any) -> Words:
    """A value as a reader sees it."""
    if value is None or value in ([], {}):
        return Words("(nothing)", "（无）")
    if isinstance(value, bool):
        return Words("yes", "是") if value else Words("no", "否")
    if isinstance(value, Mapping):
        pairs = [(label(str(key)), value_words(each)) for key, each in value.items() if key != ORDER]
        return Words(
            ", ".join(f"{key.en} {each.en}" for key, each in pairs),
            "，".join(f"{key.zh} {each.zh}" for key, each in pairs),
        )
    if isinstance(value, list | tuple):
        words = [value_words(each) for each in value]
        return Words(", ".join(each.en for each in words), "、".join(each.zh for each in words))
    return Words(str(value), str(value))


def _at(tree: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


__all__ = ["ORDER", "Heading", "Words", "basis_words", "heading", "item_name", "label", "value_words"]
