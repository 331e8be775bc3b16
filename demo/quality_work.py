"""The quality loop beside the goods: harm reported, effectiveness checked, cause found, effect verified."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.office import Office
from demo.waiting import DemoError
from demo.widening import classify


def report_harm(office: Office, actions: Mapping[str, str]) -> None:
    """A site reports harm by telephone: complaint, clocks, a page to the person on call, the evaluation again."""
    line = office.live()["scope"]["product_lines"][0]["key"]
    body = {
        "source": "phone",
        "awareness_at": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
        "severity": "serious",
        "patients": 1,
        "description": "A mother was tested negative in week 30 and positive after delivery.",
        "product_line": line,
        "evidence_ids": [],
    }
    complaint = office.post("qa", "/complaints", body)
    office.say(f"{office.who('qa')} records complaint {complaint['sequence']} (serious harm, {line}); paged:"
               f" {complaint['paged'] or 'nobody is on call'}")  # fmt: skip
    classify(office, actions, "the harm reported")
    owed = [each for each in office.get("/obligations") if each["complaint"] == complaint["sequence"]]
    if not owed:
        raise DemoError("a complaint of serious harm started no clock")
    office.say(f"its own clocks: {', '.join(sorted(each['name'] + ' ' + each['jurisdiction'] for each in owed))}")
    paper = office.paper("qa", "complaint-file", "Interview, laboratory results, assessment.")
    closing = {"outcome": "Causal link possible; reported; the hazard evaluation stands.", "evidence_ids": [paper]}
    office.post("qa", f"/complaints/{complaint['sequence']}/close", closing)


def check_effectiveness(office: Office) -> str | None:
    """Check whoever is drawn; the first check finds units still in use. Returns the code of the site that failed."""
    failed: str | None = None
    checked = 0

    def drawn() -> list[Any] | None:
        return [each for each in office.all("/effectiveness/checks") if each["state"] == "pending"] or None

    checks = office.wait("the effectiveness sample to be drawn", drawn)
    state = office.get("/effectiveness")
    office.say(f"effectiveness level {state['level']}: {len(checks)} of {state['candidates']} sites drawn, seed"
               f" {state['rounds'][-1]['seed'][:16]}...")  # fmt: skip
    bad = checks[0]

    def check(each: Any) -> Any:
        body = _findings(office, each, acted=each["id"] != bad["id"])
        return office.post("regulatory", f"/effectiveness/checks/{each['id']}", body)

    for each, result in zip(checks, office.each(checks, check), strict=True):
        checked += 1
        if not result["passed"]:
            failed = str(each["consignee_code"])
            office.say(f"effectiveness check of {failed} failed: {result['why']}")
    if failed != bad["consignee_code"]:
        raise DemoError(f"the check of {bad['consignee_code']} should have failed, {failed} did")
    office.say(f"{office.who('regulatory')} checked {checked} sites; the sample is widened, {failed} is chased again")
    return failed


def check_again(office: Office) -> None:
    """What the widened sample asks for, until the level is met."""

    def met() -> bool | None:
        for each in office.all("/effectiveness/checks"):
            if each["state"] == "pending":
                office.post("regulatory", f"/effectiveness/checks/{each['id']}", _findings(office, each, acted=True))
        return office.get("/effectiveness")["met"] or None

    office.wait("the effectiveness level to be met", met)
    rounds = office.get("/effectiveness")["rounds"]
    office.say("effectiveness: " + "; ".join(f"round {r['sequence']} {r['outcome']}" for r in rounds))


def _findings(office: Office, check: Any, *, acted: bool) -> dict[str, Any]:
    found = [{"lot_id": lot["lot_id"], "quantity": lot["expected"]} for lot in check["found"]]
    if not found:
        consignee = next(c for c in office.all("/consignees") if c["id"] == check["consignee_id"])
        replies = [r for r in office.all("/replies") if r["consignee_id"] == consignee["id"] and r["lines"]]
        stated = {line["lot_id"]: line["on_hand"] for line in replies[-1]["lines"]} if replies else {}
        found = [{"lot_id": lot, "quantity": quantity} for lot, quantity in stated.items()]
    return {
        "received": True,
        "understood": True,
        "acted": acted,
        "found": found,
        "method": "phone",
        "person": "the head of stores",
    }


def investigate(office: Office) -> None:
    """CAPA until the plan is approved and its actions are done."""
    capa = office.wait("the CAPA to be opened", lambda: (office.get("/capas") or [None])[0])
    path = f"/capas/{capa['sequence']}"
    file = office.get(path)
    office.say(f"CAPA {capa['sequence']}: the trace found {len(file['trace_findings'])} things the suspect lots share")
    paper = office.paper("supplier_quality", "investigation", "Strips of coating run 4 read weakly on the panel.")
    account = "Retained strips of every lot run against the panel; only those coated on line 4 fail."
    office.post("supplier_quality", f"{path}/investigation", {"account": account, "evidence_ids": [paper]})
    whys = [
        "Weakly reactive samples read negative.",
        "The capture line carries too little antigen.",
        "The coating pump of line 4 doses 8 % low.",
        "Its membrane was not exchanged after 2,000 hours.",
        "The maintenance plan does not name it.",
    ]
    cause = {"five_whys": whys, "cause": "The maintenance plan misses the coating pump's membrane.",
             "category": "equipment", "evidence_ids": [paper]}  # fmt: skip
    office.post("supplier_quality", f"{path}/cause", cause)
    due = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    owners = [office.people[role].principal for role in ("warehouse", "supplier_quality", "qa")]
    actions = [
        {"kind": kind, "what": what, "owner": owner, "due_on": due}
        for (kind, what), owner in zip(
            (
                ("correction", "Block every strip coated on line 4."),
                ("corrective", "Exchange the membrane; put it on the maintenance plan."),
                ("preventive", "Check every plan for parts with a running time."),
            ),
            owners,
            strict=True,
        )
    ]
    criterion = {"what": "Weakly reactive panel samples read negative", "comparison": "at_most", "target": "0",
                 "unit": "of 60"}  # fmt: skip
    planned = office.post(
        "supplier_quality", f"{path}/plan", {"actions": actions, "criterion": criterion, "verify_after_days": 1}
    )
    office.say(f"{office.who('supplier_quality')}: cause and plan of CAPA {capa['sequence']}: {planned['detail']}")
    version = office.get(path)["plan_version"]
    office.post("approver", f"{path}/plan/approve", {"plan_version": version})
    roles = ("warehouse", "supplier_quality", "qa")
    for action, role in zip(office.get(path)["actions"], roles, strict=True):
        paper = office.paper(role, f"action-{action['sequence']}", "Record of work.")
        done = {"result": "Done as planned.", "evidence_ids": [paper]}
        office.post(role, f"{path}/actions/{action['sequence']}/complete", done)
    office.say(f"{office.who('approver')} approved the plan; its {len(actions)} actions are done, the effect must show")


def verify_effect(office: Office) -> None:
    """Measure when the period is over, and have another person sign off."""
    sequence = office.get("/capas")[0]["sequence"]
    path = f"/capas/{sequence}"
    due = office.wait("the day of the effect", lambda: office.get(path)["verify_due_at"])
    office.wait("the period of the effect to pass", lambda: datetime.now(UTC) > datetime.fromisoformat(due) or None)
    paper = office.paper("qa", "verification", "Panel of 60 run on three lots made since: 0 read negative.")
    measured = {"measured": "0", "account": "Three lots made since, 60 samples each.", "evidence_ids": [paper]}
    office.post("qa", f"{path}/verification", measured)
    answer = office.post("head_of_quality", f"{path}/sign-off", {})
    office.say(f"CAPA {sequence}: effect verified by {office.who('qa')}, signed off by"
               f" {office.who('head_of_quality')}: {answer['detail']}")  # fmt: skip
