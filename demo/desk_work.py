"""What people do for consignees that did not say everything by themselves: telephone, visit, account, patients."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from demo.office import Office
from demo.recipients import Books
from demo.truth import LotKey
from demo.waiting import DemoError

Books_ = Callable[[str], Books]


def _text(quantity: Decimal) -> str:
    return format(quantity.normalize(), "f")


def telephone_for_quantities(office: Office, books: Books_, lot_of: Callable[[Any], LotKey], silent: set[str]) -> None:
    """Whoever answered by text message only still owes quantities: staff call and type the answer in."""
    owing = [
        each
        for each in office.all("/consignees")
        if each["state"] == "acknowledged" and each["partner_code"] not in silent
    ]
    for consignee in owing:
        site = books(consignee["partner_code"])
        lines = []
        for lot in consignee["lots"]:
            on_hand, used, held, passed = (_text(figure) for figure in site.statement(lot_of(lot)))
            lines.append({"lot_id": lot["lot_id"], "on_hand": on_hand, "used": used, "held": held, "passed_on": passed})
        body = {"affected": True, "statements": lines, "responder_name": "the stores desk", "responder_role": "stores"}
        answer = office.post("qa", f"/consignees/{consignee['id']}/replies", body)
        if answer["consignee_state"] != "answered":
            raise DemoError(
                f"{consignee['partner_code']} stated everything and is {answer['consignee_state']}: {answer}"
            )
        for lot, line in zip(consignee["lots"], lines, strict=True):
            figures = [line[name] for name in ("on_hand", "used", "held", "passed_on")]
            office.note("phone", [consignee["partner_code"], *lot_of(lot), *figures])
    office.say(f"{office.who('qa')} telephones {len(owing)} sites that had only sent a text message and types in what"
               " they state, lot by lot")  # fmt: skip


def until_asked_again(office: Office, sites: set[str]) -> None:
    """Wait until the recall has opened these sites again and a campaign chases them."""
    office.wait(f"{len(sites)} sites to be asked again", lambda: open_sites(office, sites) == sites or None)


def open_sites(office: Office, sites: set[str]) -> set[str]:
    """Which of these sites a campaign chases for an answer now."""
    return {
        each["partner_code"]
        for each in office.all("/consignees")
        if each["partner_code"] in sites and each["state"] == "open" and each["campaign_sequence"]
    }


def chase_the_silent(office: Office, silent: set[str]) -> None:
    """The site that never answers: call and visit, each a task; then the signed account and the authority."""
    for code in sorted(silent):
        consignee = next(each for each in office.all("/consignees") if each["partner_code"] == code)
        no = office.refused("qa", f"/consignees/{consignee['id']}/document", _account(), "not-documentable")
        office.say(f"{code} never answered and cannot be documented yet; missing: {', '.join(no['open'])}")
        for key, channel, number in (("call", "phone", "+254205550199"), ("visit", "visit", "Hospital Road 4")):
            task = _awaited(office, f"{key}:{consignee['id']}")
            attempt = {
                "channel": channel,
                "at": datetime.now(UTC).isoformat(),
                "outcome": "not_reached",
                "person": "the head of stores",
                "number": number,
                "note": "Nobody answers; the neighbours know of no move.",
                "task_id": task["id"],
            }
            office.post("qa", f"/consignees/{consignee['id']}/attempts", attempt)
            office.say(f"{office.who('qa')} tries {code} by {channel}: not reached")
        answer = office.post("qa", f"/consignees/{consignee['id']}/document", _account())
        office.say(f"{office.who('qa')} documents {code}, which never answered: {answer['consignee_state']}")
        office.note("documented", code)


def _account() -> dict[str, Any]:
    return {
        "kind": "no_response",
        "account": "Messages by every channel, a call and a visit. The site is closed to visitors.",
        "evidence_ids": [],
        "authority_informed": "letter of 22 November 2026",
    }


def _awaited(office: Office, key: str) -> Any:
    return office.wait(f"the task {key}", lambda: office.open_tasks(key) or None)[0]


def count_patients(office: Office) -> None:
    """Hospitals whose patients were exposed state counts; never a name."""
    for case in office.all("/cases", reason="patients", state="open"):
        counts = {"exposed": 12, "contacted": 12, "monitored": 3, "replaced": 0, "final": True, "channel": "phone",
                  "stated_by": "the patient safety office"}  # fmt: skip
        office.post("qa", f"/consignees/{case['consignee_id']}/patients", counts)
        office.say(f"{case['consignee']}: 12 patients exposed, 12 contacted, 3 monitored; counts only")


def ask_carriers(office: Office) -> None:
    """Shipments on their way are stopped: the warehouse records the number under which their carriers did."""
    for request in [each for each in office.all("/logistics-requests") if each["state"] == "asked"]:
        reference = f"STOP-{request['id']}"
        office.post("warehouse", f"/logistics-requests/{request['id']}/answer", {"reference": reference})
        office.say(f"{office.who('warehouse')}: the carrier stopped {request['quantity']} units ({reference})")


def settle_tasks(office: Office) -> None:
    """Tasks that no decision ends are done by whoever they are offered to."""
    for task in [task for kind in ("help:", "uncovered:", "extra:") for task in office.open_tasks(kind)]:
        asked = task["key"].startswith("extra:")  # by a branch of a regulation profile
        done: dict[str, Any] = {
            "outcome": "done as asked" if asked else "called back, question answered",
            "evidence_ids": [],
        }
        if task["evidence_required"]:
            done["evidence_ids"] = [office.paper("qa", f"task-{task['id']}", f"Done: {task['what']}")]
        office.people[task["role"]].post(f"/v1/tasks/{task['id']}/complete", done)
        office.say(f"{office.who(task['role'])} completes {task['key']}: {done['outcome']}")
