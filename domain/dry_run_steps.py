"""When each human step of a recall is asked for: the event in words, and its instant where the facts tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from domain.policy_tasks import HumanStep
from domain.timeline_facts import Facts


@dataclass(frozen=True, slots=True)
class Event:
    """What sets a step off, and the step's Chinese name."""

    when: str
    step_zh: str


_S = HumanStep
EVENTS: Final[Mapping[HumanStep, Event]] = MappingProxyType(
    {
        _S.EVALUATION: Event("the recall starts: for each product line", "健康危害评估"),
        _S.ASSESSMENT: Event("the recall starts: market action and what the class rests on", "评估准备"),
        _S.APPROVAL: Event("every product line is evaluated", "级别审批"),
        _S.STRATEGY: Event("the class is decided", "召回策略签字"),
        _S.GATE: Event("the strategy is signed", "主管部门步骤"),
        _S.NOTICE_APPROVAL: Event("every gate is passed or waived", "通知审批"),
        _S.HOLD_CONFIRMATION: Event("stock is requested to be held", "封存确认"),
        _S.PHONE_CALL: Event("a consignee stays silent to the last message", "电话联系"),
        _S.QUERY: Event("a statement cannot be", "数量质询"),
        _S.ACCOUNT_MANAGER: Event("a call reaches nobody and somebody looks after the customer", "客户经理联系"),
        _S.VISIT: Event("a call reaches nobody", "现场走访"),
        _S.SETTLE_QUERY: Event("a query is answered", "质询处理"),
        _S.EFFECTIVENESS_CHECK: Event("a consignee is drawn for a check", "有效性检查"),
        _S.INVESTIGATION: Event("the first notice is out", "调查"),
        _S.CAUSE: Event("the first notice is out", "原因分析"),
        _S.CAPA_PLAN: Event("the cause is recorded", "纠正预防计划"),
        _S.PLAN_APPROVAL: Event("a plan is submitted", "计划审批"),
        _S.ACTION: Event("the plan is approved", "措施执行"),
        _S.VERIFICATION: Event("the period to measure the effect is over", "效果验证"),
        _S.CAPA_SIGN_OFF: Event("the effect is verified", "CAPA 签字"),
        _S.DISPOSITION: Event("units are held or come back", "处置建议"),
        _S.DISPOSITION_APPROVAL: Event("a disposition is proposed", "处置审批"),
        _S.EXECUTION: Event("a disposition is approved", "处置执行"),
        _S.ALLOCATION: Event("a site is left short", "调配审批"),
        _S.REPLACEMENT: Event("an allocation is approved", "补货"),
        _S.PATIENTS: Event("units were used on patients", "患者随访"),
        _S.COMPLAINT: Event("harm is reported", "投诉处理"),
        _S.COMPLETION: Event("the completion checklist is met", "完成签字"),
        _S.OBLIGATION: Event("a report is owed: as long as its own limit below", "法定报告"),
        _S.AUTHORITY_ANSWER: Event("the recall is completed and its reports are submitted", "主管部门答复"),
        _S.UNACCOUNTED: Event("more than the allowed share is unaccounted for", "去向不明签字"),
    }
)
"""Every step has an event; a test holds the two together."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The instants of a recall's course that its facts tell, in policy time."""

    awareness: datetime | None
    decision: datetime | None
    first_communication: datetime | None
    completions: tuple[datetime, ...]
    harm: tuple[datetime, ...]

    @classmethod
    def of(cls, facts: Facts) -> "Moments":
        """Read the clocks; of several starts of one clock the first that stands counts."""

        def all_of(base: str) -> tuple[datetime, ...]:
            return tuple(sorted(each.at for each in facts.clocks if each.base == base and each.superseded_at is None))

        def first_of(base: str) -> datetime | None:
            return next(iter(all_of(base)), None)

        return cls(
            awareness=first_of("awareness"),
            decision=first_of("decision"),
            first_communication=first_of("first_communication"),
            completions=all_of("completion"),
            harm=all_of("harm_awareness"),
        )

    def phase(self, phase: str) -> datetime | None:
        """When a phase begins at the latest that the facts know of; None where they do not tell."""
        return {
            "assessment": self.awareness,
            "strategy": self.decision,
            "notification": self.first_communication,
        }.get(phase)


def moment_of(step: HumanStep, moments: Moments) -> tuple[datetime, ...]:
    """When a step is asked for; several times where several facts ask for it, nothing where only events will tell."""
    at: Mapping[HumanStep, datetime | None] = {
        _S.EVALUATION: moments.awareness,
        _S.ASSESSMENT: moments.awareness,
        _S.HOLD_CONFIRMATION: moments.awareness,
        _S.STRATEGY: moments.decision,
        _S.INVESTIGATION: moments.first_communication,
        _S.CAUSE: moments.first_communication,
    }
    if step == _S.COMPLAINT:
        return moments.harm
    if step == _S.AUTHORITY_ANSWER:
        return moments.completions
    found = at.get(step)
    return (found,) if found else ()


__all__ = ["EVENTS", "Event", "Moments", "moment_of"]
