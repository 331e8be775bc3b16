"""The regulation profiles on disk, read and validated once per worker; a fault stops the worker with its path."""

from datetime import date
from pathlib import Path

from domain.calendars import calendar_for
from domain.policy import Policy, PolicyError, parse_policy
from domain.working_days import WorkingDays


class PolicyStore:
    """Profiles by id; a recall pins what it starts with, so a changed file never changes a running recall."""

    def __init__(self, policies: list[Policy], tables: dict[str, str] | None = None) -> None:
        self._policies = policies
        self._tables = tables or {}

    @classmethod
    def load(cls, folder: Path) -> "PolicyStore":
        """Read every `*.yaml` of the folder.

        Raises:
            PolicyError: a file is not a valid profile; each fault names the file and its path.
        """
        policies = []
        for file in sorted(folder.glob("*.yaml")):
            try:
                policies.append(parse_policy(file.read_text(encoding="utf-8")))
            except PolicyError as error:
                raise PolicyError([f"{file.name}: {line}" for line in str(error).splitlines()]) from error
        tables = {file.stem: file.read_text(encoding="utf-8") for file in (folder / "calendars").glob("*.yaml")}
        return cls(policies, tables)

    def in_force(self, policy_id: str, day: date) -> Policy | None:
        """The newest version of a profile in force on `day`, if there is one."""
        found = [policy for policy in self._policies if policy.id == policy_id and policy.in_force(day)]
        return max(found, key=lambda policy: policy.version, default=None)

    def calendar(self, policy: Policy, start: date) -> WorkingDays:
        """The working days a policy counts by, for the years a limit from `start` may reach.

        Raises:
            domain.working_days.CalendarError: the calendar's table is missing.
        """
        rule = policy.calendar
        return calendar_for(rule, range(start.year, start.year + 3), self._tables.get(rule.working_days.value))
