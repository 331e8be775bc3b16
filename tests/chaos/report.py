"""The report of a chaos run, as Markdown."""

from tests.chaos.run import Outcome
from tests.e2e.facts import GROUP_OF_RECORDS

_WHAT = """What `make chaos` prints: parts of a running stack are killed with -9 at random instants while a campaign
sends and its recipients answer, connections are cut, and providers' answers are lost after they have accepted a
message. Everything is counted from outside: in the books of the mail server and of the text message service, which
nothing kills, and by the API."""


def report_of(outcome: Outcome) -> str:
    """What happened, failure by failure, and what was counted at the end."""
    plan, figures = outcome.plan, outcome.figures
    assert figures is not None
    kills = sum(failure.what.startswith("kill") for failure in outcome.failures)
    repeated = sum(outcome.repeated_after.values())
    each = repeated / max(1, kills)
    totals = [
        ("Consignees", f"{len(outcome.case.group.consignees)}"),
        ("Kills with -9", f"{kills}, other cuts {len(outcome.failures) - kills}, seed {plan.seed}"),
        ("Provider answers lost after acceptance", f"{outcome.lost_acceptances}"),
        ("Connections to providers cut", f"{outcome.cut_connections}"),
        ("Messages at the providers", f"{figures.mails} different mails, {figures.texts} text messages"),
        ("Lost notices", "0 (every consignee's first notice and every due reminder arrived)"),
        ("Answers accepted (2xx or 202)", f"{len(outcome.answered)}, lost 0"),
        ("Deadlines passed", f"{outcome.deadlines_due}, missed 0 (overdue and acted on: {outcome.overdue_marked})"),
        ("Latest reminder", f"{outcome.latest_reminder.total_seconds():.1f} s after its time"),
        (
            "Repeated mails",
            f"{repeated}: {each:.2f} a kill (allowed: {GROUP_OF_RECORDS}, a group of design §6), all on record",
        ),
        ("Repeated text messages", "0"),
        ("Time", f"{outcome.seconds:.0f} s"),
    ]
    lines = ["# A campaign under random failures", "", _WHAT, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in totals]
    lines += ["", "| No | Instant (UTC) | Failure | Mails before | Mails repeated after it |", "|---|---|---|---|---|"]
    lines += [
        f"| {number + 1} | {failure.at:%H:%M:%S.%f} | {failure.what} | {failure.mails_before}"
        f" | {outcome.repeated_after.get(number, 0)} |"
        for number, failure in enumerate(outcome.failures)
    ]
    return "\n".join([*lines, ""])
