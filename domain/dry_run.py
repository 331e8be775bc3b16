"""What a recall would ask of whom, and when, under given versions of the policies: computed, nothing is written.

The same functions that steer a running recall are used: branches are applied, the strictest task limit of all
jurisdictions counts, signatures add up, and `domain.timeline` computes what is owed. A step whose moment only the
recall itself will know (an answer, a query) has its limit and the event it waits for, but no instant.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from domain.dry_run_asks import Ask, DryRun
from domain.dry_run_steps import EVENTS, Moments, moment_of
from domain.expressions import holds
from domain.ladder import Ladder
from domain.limits import Limit
from domain.policy import Policy, common_ladder
from domain.policy_approvals import ApprovalStep, required_signers
from domain.policy_branches import applied
from domain.policy_facts import PolicyFacts
from domain.policy_figures import DueFigure, Sourced
from domain.policy_parts import Gate
from domain.policy_tasks import ExtraTask, HumanStep, TaskRule
from domain.stages import Owed
from domain.supplier_request import Stage
from domain.timeline import Calendars, Facts, Standing, duties
from domain.timeline_count import compute
from domain.timeline_facts import Duty

_ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the asking is computed from: effective policies by id, facts of branches, and what the clocks say."""

    policies: Mapping[str, Policy]
    fired: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, PolicyFacts]
    timeline: Facts
    calendars: Calendars
    until: datetime | None = None


def effective(
    written: Mapping[str, Policy], facts: Mapping[str, PolicyFacts]
) -> dict[str, tuple[Policy, tuple[str, ...]]]:
    """Each policy with the branches applied that hold, and the ids of those branches."""
    found = {name: applied(policy, facts[name]) for name, policy in written.items()}
    return {name: (each.policy, each.fired) for name, each in found.items()}


def dry_run(scene: Scene, written: Mapping[str, Policy]) -> DryRun:
    """Who is asked what, when, under which rule.

    Args:
        scene: the case, under the policies as they count.
        written: the same policies as they are written, whose branches are named.
    """
    moments = Moments.of(scene.timeline)
    asks = [
        *_branches(scene, written),
        *_tasks(scene, moments),
        *_extra_tasks(scene, moments),
        *_signatures(scene),
        *_gates(scene),
        *_reach(scene, moments),
        *_reports(scene),
        *_supplier(scene),
        *_closing(scene),
    ]
    versions = tuple(f"{policy.id}@{policy.version}" for policy in scene.policies.values())
    return DryRun(versions, tuple(asks))


def _rule(policy: Policy, figure: Sourced) -> str:
    return f"{policy.id}@{policy.version}, {figure.basis.value}: {figure.source}"


def _branches(scene: Scene, written: Mapping[str, Policy]) -> Iterator[Ask]:
    for name, fired in scene.fired.items():
        for branch in [each for each in written[name].branches if each.id in fired]:
            yield Ask(
                kind="branch",
                key=f"branch:{name}:{branch.id}",
                jurisdiction=name,
                what=branch.title,
                what_zh=branch.title_zh,
                asked_when=branch.when,
                rule=_rule(written[name], branch),
            )


def _tasks(scene: Scene, moments: Moments) -> Iterator[Ask]:
    for step in HumanStep:
        policy, rule = _strictest(scene.policies.values(), step)
        event = EVENTS[step]
        remind = min((each.tasks[step].remind for each in scene.policies.values()), key=Limit.as_timedelta)
        for number, at in enumerate(moment_of(step, moments) or (None,), start=1):
            yield Ask(
                kind="task",
                key=f"task:{step}" + (f":{number}" if number > 1 else ""),
                jurisdiction=policy.id if len(scene.policies) == 1 else _ALL,
                what=step.replace("_", " "),
                what_zh=event.step_zh,
                who=(rule.role.value, rule.stand_in.value),
                asked_when=event.when,
                asked_at=at,
                limit=f"{rule.due} (reminder after {remind})",
                due_at=at + rule.due.as_timedelta() if at else None,
                rule=_rule(policy, rule),
            )


def _strictest(policies: Iterable[Policy], step: HumanStep) -> tuple[Policy, TaskRule]:
    """The policy whose limit counts, as `domain.task_times.strictest_limit` chooses it."""
    policy = min(policies, key=lambda each: each.tasks[step].due.as_timedelta())
    return policy, policy.tasks[step]


def _extra_tasks(scene: Scene, moments: Moments) -> Iterator[Ask]:
    for policy in scene.policies.values():
        for task in policy.extra_tasks:
            yield _extra_task(policy, task, moments)


def _extra_task(policy: Policy, task: ExtraTask, moments: Moments) -> Ask:
    at = moments.phase(task.phase.value)
    return Ask(
        kind="extra_task",
        key=f"extra_task:{policy.id}:{task.id}",
        jurisdiction=policy.id,
        what=task.title,
        what_zh=task.title_zh,
        who=(task.role.value, task.stand_in.value),
        asked_when=f"phase {task.phase.value} begins",
        asked_at=at,
        limit=f"{task.due} (reminder after {task.remind})",
        due_at=at + task.due.as_timedelta() if at else None,
        rule=f"{policy.id}@{policy.version}",
        note="with evidence" if task.evidence_required else "",
    )


def _signatures(scene: Scene) -> Iterator[Ask]:
    for step in ApprovalStep:
        rules = [
            (policy, rule)
            for policy in scene.policies.values()
            for rule in policy.approvals
            if rule.step == step and holds(rule.when, scene.facts[policy.id])
        ]
        always = [rule.model_copy(update={"when": "true"}) for _, rule in rules]
        some = next(iter(scene.facts.values()))
        yield Ask(
            kind="signature",
            key=f"signature:{step}",
            jurisdiction=_ALL,
            what=f"sign: {step}",
            what_zh=f"签字：{_SIGNED_ZH[step]}",
            who=tuple(role.value for role in required_signers(always, step, some)),
            asked_when="each by another person, in this order",
            rule="; ".join(_rule(policy, rule) for policy, rule in rules) or "the usual signatures",
        )


_SIGNED_ZH: Final[Mapping[ApprovalStep, str]] = {
    ApprovalStep.ASSESSMENT: "评估",
    ApprovalStep.NOTICE: "通知",
    ApprovalStep.DISPOSITION: "处置",
    ApprovalStep.RELEASE: "放行",
    ApprovalStep.COMPLETION: "完成",
    ApprovalStep.ALLOCATION: "调配",
}


def _gates(scene: Scene) -> Iterator[Ask]:
    found: dict[str, tuple[Standing, Gate]] = {}
    for standing in _in_force(scene):
        for gate in standing.policy.gates:
            applies = standing.action is None or standing.action in gate.actions
            if applies and (not gate.levels or standing.level in gate.levels):
                found.setdefault(f"gate:{standing.policy.id}:{gate.id}", (standing, gate))
    for key, (standing, gate) in found.items():
        policy = standing.policy
        clock = next((each for each in scene.timeline.clocks if each.base == gate.clock), None)
        duty = compute(policy, gate.id, _as_due(gate), clock, scene.calendars, standing=standing) if clock else None
        window = f"; the authority has {gate.comment_window} to comment" if gate.comment_window else ""
        yield Ask(
            kind="gate",
            key=key,
            jurisdiction=policy.id,
            what=f"before the notice: {gate.title}",
            what_zh=f"通知之前：{gate.title_zh}",
            who=(gate.role.value,),
            asked_when=str(gate.clock).replace("_", " "),
            asked_at=clock.at if clock else None,
            limit=f"{gate.due}{window}",
            due_at=duty.due_at if duty else None,
            rule=_rule(policy, gate),
            note="may be waived for urgency" if gate.waivable else "",
        )


def _as_due(gate: Gate) -> DueFigure:
    return DueFigure.model_validate(
        {name: getattr(gate, name) for name in ("due", "clock", "basis", "source", "valid_from", "valid_to")}
    )


def _in_force(scene: Scene) -> list[Standing]:
    return [each for each in scene.timeline.levels if each.until is None]


def _reach(scene: Scene, moments: Moments) -> Iterator[Ask]:
    """How consignees are reached: the ladder after the first notice, and the effectiveness checks."""
    standings = _in_force(scene)
    if not standings:
        return
    ladder = common_ladder([(each.policy, each.level) for each in standings])
    start = moments.first_communication
    rule = "; ".join(sorted({f"{each.policy.id}@{each.policy.version}" for each in standings}))
    seen: Counter[str] = Counter()
    for step, offset in list(zip(ladder.steps, ladder.offsets(), strict=True))[1:]:
        seen[step.kind] += 1
        yield Ask(
            kind="ladder",
            key=f"ladder:{step.kind}" + (f":{seen[step.kind]}" if seen[step.kind] > 1 else ""),
            jurisdiction=_ALL,
            what=f"{step.kind} to consignees that stay silent ({step.contact.replace('_', ' ')} contact)",
            what_zh=f"未答复单位：{_LADDER_ZH[step.kind]}",
            asked_when="first notice to the consignee",
            asked_at=start,
            limit=_elapsed(offset),
            due_at=start + offset if start else None,
            rule=rule,
        )
    yield from _stages(ladder, rule)
    widest = max(standings, key=lambda each: each.policy.level(each.level).effectiveness.percent)
    checks = widest.policy.level(widest.level).effectiveness
    yield Ask(
        kind="check",
        key="check:effectiveness",
        jurisdiction=widest.policy.id,
        what=f"effectiveness checks, level {checks.level}: {checks.percent} percent of the consignees",
        what_zh=f"有效性检查，{checks.level} 级：收货单位的 {checks.percent}%",
        asked_when="the notice is out",
        limit=f"{checks.percent} percent",
        rule=_rule(widest.policy, checks),
    )


def _stages(ladder: Ladder, rule: str) -> Iterator[Ask]:
    """How whoever has acknowledged is asked for the rest; it runs from each consignee's own answer."""
    for stage in ladder.stages:
        what, what_zh, since = _STAGES[stage.owed]
        offsets = accumulate(step.after for step in stage.steps)
        for step, offset in zip(stage.steps, offsets, strict=True):
            yield Ask(
                kind="ladder",
                key=f"ladder:{stage.owed}:{step.kind}",
                jurisdiction=_ALL,
                what=f"{step.kind} to consignees that {what} ({step.contact.replace('_', ' ')} contact)",
                what_zh=f"{what_zh}：{_LADDER_ZH[step.kind]}",
                asked_when=since,
                limit=_elapsed(offset),
                rule=rule,
            )


_STAGES: Final = {
    Owed.QUANTITIES: ("have acknowledged and owe their quantities", "未填报数量单位", "the consignee acknowledges"),
    Owed.ACTION: ("have not set everything aside", "未完成隔离单位", "the consignee states its quantities"),
}
_LADDER_ZH: Final = {"reminder": "催办", "escalation": "升级联系", "phone": "电话联系", "first": "首次通知"}


def _elapsed(offset: timedelta) -> str:
    hours = offset.total_seconds() / 3600
    return f"{hours:g} h"


def _reports(scene: Scene) -> Iterator[Ask]:
    for duty in duties(scene.timeline, scene.calendars, until=scene.until):
        yield _report(duty)


def _report(duty: Duty) -> Ask:
    owes = duty.obligation
    title = owes.title if owes else "first notice to every consignee"
    title_zh = owes.title_zh if owes else "首次通知每个收货单位"
    return Ask(
        kind="report" if owes else "notice",
        key=f"{'report' if owes else 'notice'}:{duty.jurisdiction}:{duty.name}",
        jurisdiction=duty.jurisdiction,
        what=title,
        what_zh=title_zh,
        who=(owes.role.value,) if owes else (),
        asked_when=duty.clock.name.replace("_", " "),
        asked_at=duty.clock.at,
        limit=str(duty.limit),
        due_at=duty.due_at,
        rule=_rule(duty.policy, duty.figure),
        note=duty.uncomputed or "",
    )


def _supplier(scene: Scene) -> Iterator[Ask]:
    """What a supplier owes once a corrective action request is issued to it: the shortest limit of each stage."""
    rules = [(policy, policy.supplier_answers) for policy in scene.policies.values() if policy.supplier_answers]
    for stage in Stage if rules else ():
        policy, rule = min(rules, key=lambda each: each[1].limits()[stage])
        yield Ask(
            kind="supplier",
            key=f"supplier:{stage}",
            jurisdiction=policy.id if len(scene.policies) == 1 else _ALL,
            what=f"the supplier answers: {stage}",
            what_zh=f"供应商答复：{_SUPPLIER_ZH[stage]}",
            asked_when="a corrective action request is issued",
            limit=str(getattr(rule, stage.value)),
            rule=_rule(policy, rule),
        )


_SUPPLIER_ZH: Final[Mapping[Stage, str]] = {
    Stage.ACKNOWLEDGE: "确认收到",
    Stage.CONTAINMENT: "遏制措施",
    Stage.CAUSE: "根本原因与纠正措施",
    Stage.VERIFICATION: "效果验证",
}


def _closing(scene: Scene) -> Iterator[Ask]:
    for policy in scene.policies.values():
        rule = policy.closing
        yield Ask(
            kind="closing",
            key=f"closing:{policy.id}",
            jurisdiction=policy.id,
            what=(
                f"before a silent consignee is documented: {rule.attempts} attempts, {rule.channels} channels, "
                f"{rule.live} of them live"
            ),
            what_zh=f"未答复单位结案前：{rule.attempts} 次尝试，{rule.channels} 种渠道，其中 {rule.live} 次人工",
            asked_when="completion",
            rule=_rule(policy, rule),
        )


__all__ = ["Scene", "dry_run", "effective"]
