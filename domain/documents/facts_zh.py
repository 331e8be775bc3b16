"""Sentences made from the record for documents in Chinese: the figures of `facts` in the authority's language."""

from domain.documents.record import RecordView
from domain.documents.words import word
from domain.mass_balance import plain, total


def actions(view: RecordView) -> str | None:
    """Measures of the signed recall plan; None before it is signed."""
    if view.strategy is None:
        return None
    plan = view.strategy
    taken = "、".join(sorted({word(line.market_action) for line in view.lines})) or "未决定"
    depth = {"wholesale": "批发环节", "retail": "零售环节", "user_facility": "使用单位", "patient": "患者"}
    lines = [
        f"召回措施：{taken}。",
        f"召回深度：{depth.get(str(plan['depth']), str(plan['depth']))}。",
        f"有效性核查级别：{plan['effectiveness_level']}。",
        f"公众警示：{'是' if plan['public_warning'] else '否'}。",
        f"逐级召回：{'是' if plan['sub_recall'] else '否'}。",
    ]
    if plan.get("destruction_method"):
        lines.append(f"销毁方式：{plan['destruction_method']}。")
    return "\n".join(lines)


def notified(view: RecordView) -> str | None:
    """Notification and answers; None before anybody was told."""
    told = view.progress
    if not told.notified or told.first_notified_at is None or told.last_notified_at is None:
        return None
    how = "、".join(f"{word(channel)} {count}" for channel, count in sorted(told.by_channel.items()))
    return (
        f"应通知单位 {told.consignees} 家，已通知 {told.notified} 家"
        f"（{told.first_notified_at.date().isoformat()} 至 {told.last_notified_at.date().isoformat()}，"
        f"方式：{how or '电话或当面'}）；已答复 {told.responded} 家，收到通知时存量 {plain(told.on_hand)}；"
        f"未答复已记录 {told.documented} 家，未答复 {len(told.silent)} 家。"
    )


def effectiveness(view: RecordView) -> str | None:
    """Effectiveness checks of the newest round; None before a sample was drawn."""
    if view.checks is None:
        return None
    each = view.checks
    outcome = word(each.outcome) if each.outcome else "尚未判定"
    return (
        f"{each.level} 级（{each.percent}%）：{each.population} 家单位中抽取 {each.sample} 家；"
        f"通过 {each.passed} 家，未通过 {each.failed} 家，无答复 {each.no_response} 家，待核查 {each.pending} 家；"
        f"结论：{outcome}。"
    )


def balance(view: RecordView) -> str | None:
    """The sums over all lots; None without a lot."""
    if not view.balance:
        return None
    sums = total(each.terms for each in view.balance)
    return (
        f"已销售 {plain(sums.distributed)}；退回 {plain(sums.returned + sums.returned_to_maker)}；"
        f"就地销毁或纠正 {plain(sums.destroyed_in_place + sums.corrected + sums.released + sums.replaced)}；"
        f"已使用 {plain(sums.used + sums.implanted)}；封存待处理 {plain(sums.held_pending)}；"
        f"未能核实 {plain(sums.unaccounted)}（{plain(sums.unaccounted_share)}%）。"
    )


def injuries(view: RecordView) -> str | None:
    """Harm as evaluated and as complained of; None without an evaluation."""
    if not view.evaluations:
        return None
    seen = [each.form.occurred for each in view.evaluations]
    return (
        f"根据已签署的评估：死亡 {sum(each.deaths for each in seen)} 例，"
        f"严重伤害 {sum(each.serious_injuries for each in seen)} 例，"
        f"其他伤害 {sum(each.other_injuries for each in seen)} 例。已记录投诉 {len(view.harms)} 件。"
    )


def level(view: RecordView) -> str | None:
    """The strictest level decided; None before a decision."""
    if not view.lines:
        return None
    worst = min(view.lines, key=lambda each: each.level)
    return worst.term_zh


__all__ = ["actions", "balance", "effectiveness", "injuries", "level", "notified"]
