"""The scope grows while the recall runs: further lots, a class for the new product line, only the difference told."""

from collections.abc import Mapping
from typing import Any

from demo.office import Office
from demo.staff import EVALUATION
from demo.waiting import DemoError


def widen(office: Office, criteria: Mapping[str, Any], actions: Mapping[str, str]) -> None:
    """Expand the scope, have the new line evaluated and classified, release the amended notice."""
    before = office.read()["scope"]
    reason = "Retained samples of the sister product from the same strips read negative, too."
    answer = office.post("qa", "/scope/expand", {"scope": dict(criteria), "reason": reason})
    office.say(f"{office.who('qa')} expands the scope in the middle of the recall: {answer['detail']}")
    after = office.read()["scope"]
    office.say(f"scope: {before['lots']} lots and {before['consignees']} consignees before, {after['lots']} and"
               f" {after['consignees']} now")  # fmt: skip

    def next_step() -> Any:
        return office.open_tasks("evaluation:") or _waiting(office)

    office.wait("an evaluation to be asked for, or the amended notice", next_step)
    if office.open_tasks("evaluation:"):
        classify(office, actions, "the sister product")
    release_notice(office, "amended notice")


def classify(office: Office, actions: Mapping[str, str], about: str) -> None:
    """Sign the evaluations that are open, and have the approver decide on the new proposal."""

    def open_evaluations() -> list[Any] | None:
        return office.open_tasks("evaluation:") or None

    for task in office.wait(f"an evaluation of {about} to be asked for", open_evaluations):
        line = str(task["what"]).partition(": ")[2]
        answer = office.post(
            "medical",
            "/evaluations",
            {"product_line": line, "evaluation": EVALUATION, "market_actions": dict(actions)},
        )
        office.say(f"{office.who('medical')} evaluates {line}: {answer['detail']}")
    proposal = office.wait("a new proposal", lambda: office.live()["proposal"])
    answer = office.post("approver", "/reclassify", {"proposal_id": proposal["proposal_id"], "reason": f"For {about}."})
    office.say(f"{office.who('approver')} decides on the class again: {answer['detail']}")


def release_notice(office: Office, what: str) -> None:
    """Read the draft that waits and release exactly what was read.

    Raises:
        DemoError: the notice read is not the one that waits.
    """

    draft = office.wait(f"the draft of the {what}", lambda: _waiting(office))
    notice = office.get(f"/notices/{draft['id']}")
    if not notice["bodies"]:
        raise DemoError(f"the {what} has no bodies")
    answer = office.post("approver", f"/notices/{notice['id']}/approve", {"sha256": notice["sha256"]})
    kinds = ", ".join(sorted({each["kind"] for each in notice["bodies"]}))
    office.say(f"{office.who('approver')} releases the {what} ({kinds}): {answer['detail']}")


def _waiting(office: Office) -> Any:
    notice = office.live()["notice"]
    drafts = [each for each in office.get("/notices") if each["approved_by"] is None]
    return next((each for each in drafts if notice and each["id"] == notice["notice_id"]), None)
