"""The firm's own people: each step of the recall is taken over HTTP by the person whose role permits it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.api_client import Person
from demo.waiting import Deadline, DemoError

_STEP_S = 180.0

EVALUATION: Mapping[str, Any] = {
    "occurred": {
        "rationale": "Four false negative results among 60 retained samples; no harm reported so far.",
        "malfunction_in_use": True,
    },
    "existing_conditions": {
        "rationale": "Rapid tests are often the only test before treatment is decided.",
        "aggravating": True,
    },
    "population": {
        "rationale": "Everybody tested; pregnant women and newborns at the greatest risk.",
        "groups": ["pregnant", "newborns", "general"],
    },
    "seriousness": {"rationale": "A missed infection is transmitted and stays untreated.", "degree": "serious"},
    "likelihood": {"rationale": "4 of 60 weakly reactive samples.", "degree": "possible"},
    "consequences": {"rationale": "Treatment is delayed.", "immediate": "none", "long_range": "serious"},
    "detectability": {"rationale": "A negative line looks like any other.", "degree": "not_detectable"},
    "present_setting": {
        "rationale": "Two readers, retained samples of the same lot.",
        "can_injure": "yes",
        "defect": "shown",
        "basis": ["test"],
    },
    "area": {"rationale": "Every country that received the lot.", "regions": ["all countries of the trace"]},
    "conformity": {
        "rationale": "Sensitivity on weak samples is below the limit of the technical requirements.",
        "meets_standards": "unknown",
        "meets_registered_requirements": "no",
    },
}
STRATEGY: Mapping[str, Any] = {
    "depth": "user_facility",
    "effectiveness_level": "A",
    "public_warning": True,
    "sub_recall": True,
    "out_of_business": "national programme takes the account over; documented",
    "destruction_method": "incineration under supervision",
    "channels": ["email", "sms"],
}


@dataclass
class Alarm:
    """What set the recall off."""

    title: str
    scope: Mapping[str, Any]
    jurisdictions: Mapping[str, str]
    """Jurisdiction -> market action."""
    pace: float


class Staff:
    """The people of the firm working on one recall."""

    def __init__(self, people: Mapping[str, Person], deadline: Deadline, say: Callable[[str], None]) -> None:
        self._people, self._deadline, self._say = people, deadline, say
        self.number = ""

    @property
    def _base(self) -> str:
        return f"/v1/recalls/{self.number}"

    def read(self) -> Any:
        """The recall as its owner sees it."""
        return self._people["qa"].get(self._base)

    def start(self, alarm: Alarm, evidence: tuple[str, bytes, str]) -> str:
        """Upload the evidence and start the recall; returns its number."""
        qa = self._people["qa"]
        stored = qa.upload("/v1/evidence", *evidence)
        self._say(f"{qa.principal} (qa) uploads {stored['file_name']}, SHA-256 {stored['sha256'][:16]}...")
        started = qa.post(
            "/v1/recalls",
            {
                "title": alarm.title,
                "reason": "Retained samples read negative on weakly reactive specimens: 4 of 60.",
                "hazard": "A false negative result: the infection is missed and treatment is delayed.",
                "translations": {
                    "zh-CN": {
                        "reason": "留样对弱反应性标本检测为阴性：60 份中有 4 份。",
                        "hazard": "假阴性结果：感染被漏检，治疗被延误。",
                    }
                },
                "trigger": {"source": "internal_test", "reference": "LR-2026-1107"},
                "awareness_at": (datetime.now(UTC) - timedelta(hours=3)).isoformat(),
                "jurisdictions": list(alarm.jurisdictions),
                "scope": dict(alarm.scope),
                "evidence_ids": [stored["id"]],
                "owner": qa.principal,
                "pace": alarm.pace,
            },
        )
        self.number = started["number"]
        self._say(f"{qa.principal} (qa) starts {self.number}, workflow {started['workflow_id']}")
        return self.number

    def assess(self, alarm: Alarm, before_approval: Callable[[], None]) -> None:
        """Trace, evaluation, a decision that is refused, and the approval."""
        recall = self._in_phase("assessment")
        scope, holds = recall["scope"], recall["holds"]
        found = f"{scope['lots']} lots, {scope['consignees']} consignees, {_n(scope['quantity_shipped'])} units shipped"
        positions = sum(holds["positions"].values())
        self._say(f"trace: {found}; gaps: {scope['gaps'] or 'none'}; holds requested on {positions} positions")
        tasks = self._people["medical"].pages(f"{self._base}/tasks")
        lines = [task["key"].partition(":")[2] for task in tasks if task["key"].startswith("evaluation:")]
        medical, approver, qa = (self._people[role] for role in ("medical", "approver", "qa"))
        regulatory = self._people["regulatory"]
        for line in lines:
            actions = [
                {"product_line": line, "jurisdiction": law, "action": action}
                for law, action in alarm.jurisdictions.items()
            ]
            answer = regulatory.post(f"{self._base}/market-actions", {"actions": actions})
            self._say(f"{regulatory.principal} (regulatory) decides the {answer['detail']}")
            answer = medical.post(f"{self._base}/evaluations", {"product_line": line, "evaluation": EVALUATION})
            self._say(f"{medical.principal} (medical) signs the health-hazard evaluation of {line}: {answer['detail']}")
        proposal = self._live()["proposal"]["proposal_id"]
        refused = qa.try_post(f"{self._base}/assessment/approve", {"proposal_id": proposal})
        if refused.status != 403:
            raise DemoError(f"the starter could approve the recall: {refused}")
        self._say(f"{qa.principal} (qa) tries to approve the own recall and is refused: {refused}")
        before_approval()
        answer = approver.post(f"{self._base}/assessment/approve", {"proposal_id": proposal})
        self._say(f"{approver.principal} (approver): {answer['detail']}")

    def four_eyes(self, starter_as_approver: Person) -> None:
        """Even with an approver's token the person who started the recall cannot decide on it."""
        proposal = self._live()["proposal"]["proposal_id"]
        refused = starter_as_approver.try_post(f"{self._base}/assessment/approve", {"proposal_id": proposal})
        if refused.status != 403 or "four-eyes" not in str(refused.body):
            raise DemoError(f"four eyes did not hold: {refused}")
        self._say(f"{starter_as_approver.principal}, now with an approver's token, is still refused: {refused}")

    def sign_strategy(self) -> None:
        """Quality and regulatory affairs sign the same strategy."""
        self._in_phase("strategy")
        for role, capacity in (("qa", "quality"), ("regulatory", "regulatory")):
            person = self._people[role]
            answer = person.post(f"{self._base}/strategy/approve", {"capacity": capacity, "strategy": STRATEGY})
            self._say(f"{person.principal} ({role}): {answer['detail']}")

    def pass_gates(self) -> None:
        """Authority steps: the last one is waived for urgency where the law allows it, the others are done."""
        self._in_phase("gates")
        gates = self._live()["gates_open"]
        waived = [gate for gate in gates if gate.endswith(":fsn_comments")]
        for gate in gates:
            if gate in waived:
                person = self._people["approver"]
                body = {"reason": "Class I: every day without the notice means missed infections (MDR Art. 89(8))."}
                answer = person.post(f"{self._base}/gates/{gate}/waive", body)
            else:
                person = self._people["regulatory"]
                answer = person.post(f"{self._base}/gates/{gate}/pass", {"reference": f"telephone and e-mail, {gate}"})
            self._say(f"{person.principal} ({person.role}): {answer['detail']}")

    def approve_notice(self) -> None:
        """Read the draft and release exactly what was read."""
        self._in_phase("notification")
        approver = self._people["approver"]
        drafts = self._deadline.wait_for("the draft of the notice", self._drafts, _STEP_S)
        notice = approver.get(f"{self._base}/notices/{drafts[0]['id']}")
        bodies = ", ".join(sorted({f"{b['channel']}.{b['language']}" for b in notice["bodies"]}))
        answer = approver.post(f"{self._base}/notices/{notice['id']}/approve", {"sha256": notice["sha256"]})
        self._say(
            f"{approver.principal} (approver) reads {len(notice['bodies'])} bodies ({bodies}) and releases"
            f" {notice['sha256'][:16]}...: {answer['detail']}"
        )

    def _drafts(self) -> Any:
        return self._live()["notice"] and self._people["approver"].get(f"{self._base}/notices")

    def _live(self) -> Any:
        return self._people["qa"].get(f"{self._base}/live")

    def _in_phase(self, phase: str) -> Any:
        def look() -> Any:
            recall = self.read()
            if recall["phase"] in {"rejected", "cancelled"}:
                raise DemoError(f"{self.number} ended in phase {recall['phase']}: {recall['ended_reason']}")
            return recall if recall["phase"] == phase else None

        return self._deadline.wait_for(f"{self.number} to enter the phase {phase}", look, _STEP_S)


def _n(quantity: Any) -> str:
    return f"{float(quantity):,.0f}"
