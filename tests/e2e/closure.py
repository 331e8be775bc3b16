"""The second half of a recall over HTTP: from everybody's answer to the authority's last word.

Kept small: class III, level E, every consignee has used its units, and the stock at our own plant goes on as
nonconforming. What a recall owes beyond that (dispositions, checks, patients) has tests of its own.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.office import RecallCase, Recipient
from tests.e2e.running import World
from tests.support.stack import wait_for

PLACE = "us-fda"
_STRATEGY = {"depth": "user_facility", "effectiveness_level": "E", "public_warning": False}
_SIGNERS = (("qa", "quality"), ("regulatory", "regulatory"))


class Closure:
    """One recall on its way to the end."""

    def __init__(self, world: World, case: RecallCase) -> None:
        self.world, self.case, self.office = world, case, case.office

    def post(self, role: str, path: str, body: Any) -> Any:
        """POST below the recall."""
        return self.office.post(role, f"{self.case.base}{path}", body)

    def refused(self, role: str, path: str, body: Any) -> dict[str, Any]:
        """POST that must be refused; returns the problem."""
        response = self.office.until_answered(role, "POST", f"{self.case.base}{path}", json=body)
        assert 400 <= response.status_code < 500, f"{path}: {response.status_code} {response.text[:300]}"
        problem: dict[str, Any] = response.json()
        return problem

    def evidence(self, role: str, text: str) -> str:
        """Upload a paper; returns its id."""
        files = {"file": ("paper.txt", f"{text}\n".encode(), "text/plain")}
        response = self.office.request(role, "POST", "/v1/evidence", key=secrets.token_hex(8), files=files)
        assert response.status_code == 201, response.text[:300]
        return str(response.json()["id"])

    # ------------------------------------------------------------------ the steps

    def to_notice(self) -> Any:
        """Class III by override, level E; returns the draft."""
        override = {"product_line": self.case.group.brand, "jurisdiction": PLACE, "recall_class": "III"}
        body = {"proposal_id": self.case.evaluate(), "reason": "harm is remote", "overrides": [override]}
        self.post("approver", "/assessment/override", body)
        self.case.wait_phase("strategy")
        self.record_why_nothing_is_reported()
        for role, capacity in _SIGNERS:
            self.post(role, "/strategy/approve", {"capacity": capacity, "strategy": _STRATEGY})
        self.case.pass_gates()
        self.case.wait_phase("notification")
        return self.case.draft()

    def record_why_nothing_is_reported(self) -> None:
        """Class III is recorded instead of reported: the record is written, and a designated person accepts it."""
        line = {"product_line": self.case.group.brand, "jurisdiction": PLACE}
        why = {"justification": "Harm is remote.", "conclusions": "No risk to health; 21 CFR 806.10(a) does not apply."}
        self.post("regulatory", "/market-actions", {"actions": [line | {"action": "removal", "not_reported": why}]})
        written = self.office.get(f"{self.case.base}/market-actions")[-1]
        review = line | {
            "market_action_id": written["id"],
            "outcome": "accepted",
            "evaluation": "The conclusions hold.",
        }
        self.post("approver", "/market-actions/review", review)
        assert self.office.get(f"{self.case.base}/market-actions")[-1]["review"]["outcome"] == "accepted"

    def to_resolution(self) -> None:
        """Everybody says that all was used."""
        self.case.release(self.to_notice())
        for consignee in self.case.group.by_mail:
            mail = wait_for("the notice", lambda: self._mails(consignee.email), 60, 0.2)[0]  # noqa: B023
            Recipient(self.office.http, mail).state_used(consignee.quantity)
        self.case.wait_phase("resolution")

    def _mails(self, address: str | None) -> list[dict[str, Any]]:
        return [mail for mail in self.world.sinks.mails(self.case.group) if mail["to"] == address]

    def plan_capa(self) -> None:
        """Investigation, cause and an approved plan; its effect is verified long after the recall."""
        capa = "/capas/1"
        self.post("supplier_quality", f"{capa}/investigation", {"account": "Moulding tool 4 was worn."})
        cause = {"five_whys": ["The connector cracks.", "The tool was worn."], "cause": "No tool life limit."}
        self.post("supplier_quality", f"{capa}/cause", cause | {"category": "process"})
        due = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()
        owner = self.office.get("/v1/me", "supplier_quality")["principal"]
        action = {"kind": "corrective", "what": "Set a tool life limit.", "owner": owner, "due_on": due}
        criterion = {"what": "Cracked connectors", "comparison": "at_most", "target": "1", "unit": "per 10,000"}
        plan = {"actions": [action], "criterion": criterion, "verify_after_days": 30}
        self.post("supplier_quality", f"{capa}/plan", plan)
        self.post("approver", f"{capa}/plan/approve", {"plan_version": 1})

    def carry_over(self) -> None:
        """The stock at our plant stays locked as nonconforming."""
        path = f"{self.case.base}/holds"
        ready = wait_for("confirmed holds", lambda: [h for h in self.office.all(path) if h["state"] == "confirmed"], 60)
        body = {"hold_ids": [hold["id"] for hold in ready], "reason": "kept for the investigation"}
        self.post("approver", "/holds/carry-over", body)

    def wait_checklist(self) -> None:
        """Until nothing is open any more."""
        path = f"{self.case.base}/checklist"
        try:
            wait_for("the checklist", lambda: self.office.get(path)["complete"], 60, 0.2)
        except AssertionError as error:
            still = {item["key"]: item["open"] for item in self.office.get(path)["items"] if not item["ok"]}
            raise AssertionError(f"still open: {still}") from error

    def sign(self) -> None:
        """Quality and regulatory affairs sign the completion."""
        for role, capacity in _SIGNERS:
            self.post(role, "/complete", {"capacity": capacity})

    def submit_reports(self) -> None:
        """Whatever is owed to the authority is submitted, until the authorities are asked."""
        path = f"{self.case.base}/obligations"

        def submitted() -> bool:
            for each in self.office.get(path):
                if each["state"] in {"open", "overdue"}:
                    body = {"reference": "letter 7", "evidence_ids": [self.evidence("regulatory", each["name"])]}
                    self.post("regulatory", f"/obligations/{each['id']}/submit", body)
            return bool(self.case.read()["phase"] == "awaiting_authority")

        wait_for("the final reports", submitted, 60, 0.2)

    def answer(self, answer: str, **more: Any) -> Any:
        """Record the authority's answer."""
        body = {"jurisdiction": PLACE, "answer": answer, "reference": "FDA letter 9"} | more
        return self.post("regulatory", "/authority-answers", body)

    def tell_the_end(self) -> None:
        """The notice that the recall has ended is released, and everybody told gets it."""
        wait_for("its draft", lambda: (self.case.live()["notice"] or {}).get("kind") == "closure", 60, 0.2)
        (notice,) = (each for each in self.office.get(f"{self.case.base}/notices") if each["kind"] == "closure")
        self.case.release(notice)
        for consignee in self.case.group.by_mail:
            word = wait_for("the word of the end", lambda: self._of_the_end(consignee.email), 60, 0.2)  # noqa: B023
            assert len(word) == 1

    def _of_the_end(self, address: str | None) -> list[dict[str, Any]]:
        return [mail for mail in self._mails(address) if f"The recall {self.case.number} has ended" in mail["text"]]
