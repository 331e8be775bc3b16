"""The whole demonstration from a fresh stack to the checker's verdict."""

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from demo.api_client import Person, evidence_file, people
from demo.embedded import PROJECT, Embedded, clean_environment
from demo.hostile import forge_text_message, tampered_links
from demo.office import Office
from demo.recipients import Recipients
from demo.second_half import ON_CALL, SecondHalf
from demo.sinks import Sinks
from demo.staff import Alarm, Staff
from demo.story import ImportStep, Story
from demo.timeline import Clock, timeline
from demo.waiting import POLL_S, Deadline, DemoError

PACE = 5400.0
"""Policy seconds per real second: a day passes in 16 seconds."""
ACTIONS = {"us-fda": "removal", "eu-mdr": "fsca"}
_QUIET_S = 120.0
_OUTCOMES = ("read", "new", "already_there", "rejected")


class Play:
    """One run; every step prints what it did and what was seen."""

    def __init__(self, stack: Embedded, story: Story, deadline: Deadline) -> None:
        self.stack, self.story, self.deadline = stack, story, deadline
        self.clock: Clock | None = None
        self.started = time.monotonic()

    def say(self, line: str) -> None:
        """One line with both times."""
        now = datetime.now(UTC)
        policy = f"  policy {self.clock.policy(now)}" if self.clock else ""
        print(f"[{time.monotonic() - self.started:6.1f} s{policy}] {line}", flush=True)

    def run(self) -> int:
        """Play everything; returns the checker's exit code.

        Raises:
            DemoError: something did not come as the story needs it.
        """
        self.say(self.story.about)
        for step in self.story.imports:
            self._import(step)
        tokens = json.loads(Path(self.stack.addresses["tokens_file"]).read_text())
        staff_people = people(self.stack.addresses["api"], tokens, self.deadline)
        starter_as_approver = self._second_token(staff_people["qa"].principal)
        staff = Staff(staff_people, self.deadline, self.say)
        alarm = Alarm(self.story.title, self.story.scope, ACTIONS, PACE)
        evidence = evidence_file(self.stack.folder)
        staff.start(alarm, evidence)
        self.clock = Clock.of(staff.read())
        self.say(f"pace {PACE:g}: {86400 / PACE:g} real seconds stand for one day of policy time")
        staff.assess(alarm, before_approval=lambda: staff.four_eyes(starter_as_approver))
        staff.sign_strategy()
        staff.pass_gates()
        staff.approve_notice()
        recipients = self._notify(staff)
        self._settle(staff)
        office = Office(staff_people, staff.number, self.deadline, self.say)
        code = self._check(staff.number, self._write_diary(recipients, evidence, office))
        if code:
            return code
        self._put_on_call(staff_people["head_of_quality"], recipients)
        dossier = SecondHalf(self.stack, self.story, office, recipients, ACTIONS, self._import).run()
        recipients.finish()
        diary = self._write_diary(recipients, evidence, office)
        if self.story.end_compared:
            code = self._check(staff.number, diary, dossier)
        else:
            self.say("the end is compared unit by unit on the real deliveries only; here the dossier was verified")
        self._show_end(staff, staff_people["auditor"])
        return code

    def _put_on_call(self, head: Person, recipients: Recipients) -> None:
        """Somebody of the firm is paged when harm is reported."""
        person = {"name": head.principal, "roles": ["head_of_quality"], "email": ON_CALL, "language": "en"}
        head.put(f"/v1/staff/{quote(head.principal)}", person | {"on_call": True})
        recipients.staff.add(ON_CALL)
        self.say(f"{head.principal} (head_of_quality) is on call: pages go to {ON_CALL}")

    def _import(self, step: ImportStep) -> None:
        arguments = ["import", step.kind, str(step.file), "--map", str(step.mapping), "--json"]
        rejects = self.stack.folder / f"{step.file.name}.rejects.csv"
        printed = json.loads(self.stack.run(*arguments, "--actor", "demo", "--rejects", str(rejects)))
        self.say(f"recall import {step.kind} {step.file.name}: {_totals(printed)}")

    def _second_token(self, principal: str) -> Person:
        """An approver's token for the person who started the recall: only four eyes can stop it."""
        secret = self.stack.run("token", "create", principal, "--role", "approver", "--name", "four eyes test").strip()
        tokens = json.loads(Path(self.stack.addresses["tokens_file"]).read_text())
        password = next(entry["password"] for entry in tokens.values() if entry["principal"] == principal)
        return Person(self.stack.addresses["api"], "approver", principal, secret, password, self.deadline)

    def _notify(self, staff: Staff) -> Recipients:
        """Recipients read and answer until they have all said their part and the product sees nobody outstanding."""
        sinks = Sinks(self.stack.addresses["inbox"], self.stack.addresses["twilio"])
        recipients = Recipients(sinks, self.story.cast, self.story.received, self.story.books, self.say)
        self._import(self.story.late_stock)
        attacked, shown = False, ""
        while True:
            recipients.look()
            if not attacked and recipients.diary.links:
                attacked = True
                self._attack(recipients)
            recall = staff.read()
            line = _progress(recall)
            if line != shown:
                shown = line
                self.say(line)
            silent = recall["counters"]["consignees"].get("open", 0)
            if silent == len(self.story.cast.silent) and not recipients.missing():
                break
            self.stack.check_alive()
            if self.deadline.left == 0:
                missing = ", ".join(recipients.missing()) or "nobody"
                raise DemoError(f"no end within {self.deadline.seconds:.0f} s; {line}; not answered: {missing}")
            time.sleep(POLL_S)
        recipients.settle()
        return recipients

    def _attack(self, recipients: Recipients) -> None:
        for line in tampered_links(recipients.diary.links[0]):
            self.say(line)
        phone = next(contact.phone for contact in self.story.cast.contacts if contact.phone)
        self.say(forge_text_message(self.stack.addresses, phone))

    def _settle(self, staff: Staff) -> None:
        """Late stock is held, and nothing is on its way any more."""

        def settled() -> bool:
            recall = staff.read()
            states = recall["counters"]["deliveries"]
            waiting = states.get("pending", 0) + states.get("submitting", 0)
            open_holds = sum(recall["holds"]["positions"].get(name, 0) for name in ("requested", "failed"))
            return not waiting and not open_holds and recall["holds"]["late"] > 0

        self.deadline.wait_for("late stock to be held and every message to be settled", settled, _QUIET_S)

    def _write_diary(self, recipients: Recipients, evidence: tuple[str, bytes, str], office: Office) -> Path:
        path = self.stack.folder / "diary.json"
        diary = asdict(recipients.diary) | {
            "addresses": recipients.addresses(),
            "evidence": {evidence[0]: hashlib.sha256(evidence[1]).hexdigest()},
            "silent": sorted(self.story.cast.silent),
            "staff": sorted(recipients.staff),
            "doings": office.doings,
            "papers": office.papers,
        }
        path.write_text(json.dumps(diary, ensure_ascii=False, indent=1))
        return path

    def _check(self, number: str, diary: Path, dossier: Path | None = None) -> int:
        """The checker is a program of its own; so is the product's verification of the audit chain."""
        print()
        print("The checker recomputes from the raw files and compares:", flush=True)
        addresses = self.stack.folder / "ready.json"
        command = [sys.executable, "-m", "demo.checker", "--recall", number, "--addresses", str(addresses)]
        command += [*self.story.checker_arguments, "--diary", str(diary)]
        if dossier is not None:
            command += [*self.story.wider.checker_arguments, "--final", "--dossier", str(dossier)]
        done = subprocess.run(command, cwd=PROJECT, env=clean_environment(), check=False)
        verified = self.stack.run("audit", "verify", number, codes=(0, 1))
        print(f"recall audit verify {number}: {verified.strip()}", flush=True)
        return done.returncode

    def _show_end(self, staff: Staff, auditor: Person) -> None:
        recall = staff.read()
        assert self.clock is not None
        print("\nTimeline, by the product's audit trail:")
        print(timeline(self.clock, list(auditor.pages(f"/v1/recalls/{staff.number}/audit"))))
        print("\nFigures:")
        for line in figures(recall):
            print(f"  {line}")
        print("\nWhere to look while it runs:", flush=True)
        for line in where_to_look(self.stack, staff.number):
            print(f"  {line}")
        sys.stdout.flush()


def _totals(printed: dict[str, Any]) -> str:
    text = ", ".join(f"{printed[name]} {name.replace('_', ' ')}" for name in _OUTCOMES)
    kept = printed.get("kept_as_recorded")
    return f"{text}; {kept} rows name a partner that is on record otherwise, the record stays" if kept else text


def _progress(recall: dict[str, Any]) -> str:
    counters = recall["counters"]
    consignees = ", ".join(f"{n} {state}" for state, n in sorted(counters["consignees"].items()))
    return f"phase {recall['phase']}; consignees: {consignees}; replies: {counters['replies']}"


def figures(recall: dict[str, Any]) -> list[str]:
    """What the product counts at the end."""
    counters, scope, holds = recall["counters"], recall["scope"], recall["holds"]
    units = float(scope["quantity_shipped"])
    classes = sorted({f"{c['jurisdiction']}: {c['local_term']}" for c in recall["class_decisions"]})
    return [
        f"{recall['number']}, phase {recall['phase']}, class {recall['recall_class']} ({'; '.join(classes)})",
        f"{scope['lots']} lots, {scope['consignees']} consignees, {units:,.0f} units shipped",
        f"gaps in the trace: {scope['gaps'] or 'none'}",
        f"holds: {holds['positions']}, {holds['late']} of them on stock that appeared later",
        f"deliveries: {counters['deliveries']}",
        f"consignees: {counters['consignees']}, quantities stated by {counters['response_percent']} %",
        f"replies: {counters['replies']}",
    ]


def where_to_look(stack: Embedded, number: str) -> list[str]:
    """Addresses for a person's browser."""
    at = stack.addresses
    return [
        f"Temporal Web UI   {at['temporal_ui']}/namespaces/default/workflows?query=RecallNumber%3D%22{number}%22",
        f"caught mail       {at['inbox']}/",
        f"text messages     {at['twilio']}/",
        f"API               {at['api']}/v1/recalls/{number} (tokens: {at['tokens_file']})",
        f"logs              {at['state_dir']}/logs",
    ]
