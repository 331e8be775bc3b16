"""The end: reports submitted, completion refused while anything is open, signed, answered by authorities, filed."""

import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from demo.embedded import Embedded
from demo.office import Office
from demo.waiting import DemoError

_FLIPS = 25


def refused_while_open(office: Office) -> None:
    """Nobody can close a recall with anything open; the refusal lists what is."""
    refusal = office.refused("qa", "/complete", {"capacity": "quality"}, "not-complete")
    items = [item for item in refusal["open"] if item]
    if not items:
        raise DemoError(f"the refusal names nothing: {refusal}")
    office.say(f"{office.who('qa')} tries to sign the completion and is refused; open: {', '.join(_keys(items))}")


def _keys(items: Sequence[Any]) -> list[str]:
    return [str(item["key"]) if isinstance(item, dict) else str(item) for item in items]


def work_out(office: Office) -> None:
    """Limits that reach a year whose Chinese table is not announced yet are worked out by hand, and signed."""
    listed = office.get("/obligations")
    for each in [each for each in listed if each["state"] == "by_hand"]:
        known = [datetime.fromisoformat(other["due"]["policy_at"]) for other in listed if other["due"]]
        body = {
            "jurisdiction": each["jurisdiction"],
            "name": each["name"],
            "due_at": (max(known) + timedelta(days=14)).isoformat(),
            "working": "Counted on the draft calendar of the coming year, 1 January and the weekends off.",
        }
        office.post("regulatory", "/obligations/by-hand", body)
        office.say(f"{office.who('regulatory')} works out by hand when {each['jurisdiction']} {each['name']} is due")


def submit_reports(office: Office) -> int:
    """Submit every report that is owed now; returns how many were."""
    work_out(office)
    owed = [each for each in office.get("/obligations") if each["state"] in {"open", "overdue"}]
    if not owed:
        return 0
    paper = office.paper("regulatory", "reports", "Receipts of the authorities for the reports submitted.")
    for each in owed:
        body = {"reference": f"receipt {each['jurisdiction']} {each['name']}", "evidence_ids": [paper]}
        office.post("regulatory", f"/obligations/{each['id']}/submit", body)
    office.say(f"{office.who('regulatory')} submits {len(owed)} reports:"
               f" {', '.join(sorted(each['jurisdiction'] + ' ' + each['name'] for each in owed))}")  # fmt: skip
    return len(owed)


def stop_recurring(office: Office) -> None:
    """A series of status reports ends with the final one."""
    for each in office.get("/obligations"):
        if each["state"] in {"open", "overdue"} and each["every"]:
            reason = "The recall is completed; the final report takes the place of the series."
            office.post("regulatory", f"/obligations/{each['id']}/stop", {"reason": reason})


def sign_unaccounted(office: Office) -> None:
    """What stays missing is signed by the head of quality on a documented search."""
    open_items = {item["key"]: item for item in office.get("/checklist")["items"] if not item["ok"]}
    if "unaccounted" not in open_items:
        return
    paper = office.paper(
        "head_of_quality", "search", "Stores, transport records and the site's neighbours were searched."
    )
    body = {
        "account": "The silent site was visited twice, its forwarder and its ministry were asked; nothing was found.",
        "evidence_ids": [paper],
    }
    signed = office.post("head_of_quality", "/unaccounted/sign", body)
    office.say(f"{office.who('head_of_quality')} signs for what stays unaccounted for: {len(signed['lots'])} lots")


def complete(office: Office) -> None:
    """Both signatures once the checklist is true; then the final reports and the authorities' last word."""

    def ready() -> bool | None:
        checklist = office.get("/checklist")
        return True if checklist["complete"] else None

    try:
        office.deadline.wait_for("the checklist to be true", ready, 90)
    except DemoError:
        open_items = [item for item in office.get("/checklist")["items"] if not item["ok"]]
        raise DemoError(
            "the checklist is not true: " + "; ".join(f"{i['key']}: {i['open'][:3]}" for i in open_items)
        ) from None
    for role, capacity in (("qa", "quality"), ("regulatory", "regulatory")):
        answer = office.post(role, "/complete", {"capacity": capacity})
        office.say(f"{office.who(role)} signs the completion for {capacity}: {answer['detail']}")
    office.phase("completed", "awaiting_authority")

    def reported() -> bool | None:
        submit_reports(office)
        stop_recurring(office)
        return True if office.read()["phase"] == "awaiting_authority" else None

    office.wait("the final reports to be in", reported)
    for jurisdiction in office.read()["jurisdictions"]:
        paper = office.paper("regulatory", f"answer-{jurisdiction}", f"{jurisdiction}: the recall is terminated.")
        body = {"jurisdiction": jurisdiction, "answer": "terminated", "reference": f"letter of {jurisdiction}",
                "evidence_ids": [paper]}  # fmt: skip
        answer = office.post("regulatory", "/authority-answers", body)
        office.say(f"{office.who('regulatory')} records the answer of {jurisdiction}: {answer['detail']}")
    office.phase("terminated")


def file_the_dossier(stack: Embedded, office: Office) -> Path:
    """Write the dossier, verify it without the product, and see that a single changed byte is found.

    Raises:
        DemoError: the intact one is not accepted, or a changed one is.
    """
    target, verifier = stack.folder / f"{office.number}.zip", stack.folder / "verify.py"
    said = stack.run("dossier", office.number, "--out", str(target)).strip().splitlines()
    verifier.write_text(stack.run("dossier", "--verifier"))
    office.say(f"recall dossier: {said[-1] if said else target.name}")
    code, text = _verify(verifier, target)
    if code != 0:
        raise DemoError(f"the dossier does not verify: {text}")
    office.say(f"its own verifier (Python alone): {text.splitlines()[-1]}")
    content, chance = target.read_bytes(), random.Random(len(target.read_bytes()))  # noqa: S311 - any positions will do
    damaged = stack.folder / "damaged.zip"
    for _ in range(_FLIPS):
        place = chance.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        damaged.write_bytes(changed)
        if _verify(verifier, damaged)[0] == 0:
            raise DemoError(f"the verifier did not see that byte {place} was changed")
    damaged.unlink()
    office.say(f"{_FLIPS} times one bit of its {len(content):,} bytes was turned: found every time")
    return target


def _verify(verifier: Path, archive: Path) -> tuple[int, str]:
    command = [sys.executable, "-I", str(verifier), str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip() or done.stderr.strip()
