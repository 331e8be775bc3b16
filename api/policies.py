"""The jurisdictions a recall can be started under: the regulation profiles in force.

A shipped profile that no worker has entered into the database yet counts, too: the recall's intake enters it.
"""

from datetime import date
from pathlib import Path
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import policy_versions
from domain.calendars import calendar_for
from domain.policy import Policy, parse_policy
from domain.working_days import WorkingDays

FOLDER: Final = Path(__file__).parent.parent / "policies"


class Jurisdictions:
    """Which profile is in force when; the workers pin the content, this only answers "is there one"."""

    def __init__(self, shipped: list[Policy], tables: dict[str, str] | None = None) -> None:
        self._shipped = shipped
        self._tables = tables or {}

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Jurisdictions":
        """Read every shipped profile.

        Raises:
            domain.policy.PolicyError: a file is not a valid profile.
        """
        tables = {file.stem: file.read_text(encoding="utf-8") for file in (folder / "calendars").glob("*.yaml")}
        return cls([parse_policy(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.yaml"))], tables)

    async def in_force(self, session: AsyncSession, day: date) -> list[str]:
        """Ids of the profiles in force on `day`."""
        found, known = await policy_versions.ids_in_force(session, day)
        shipped = {policy.id for policy in self._shipped if policy.in_force(day)}
        return sorted(found | (shipped - known))

    async def policy(self, session: AsyncSession, policy_id: str, day: date) -> Policy | None:
        """The profile in force on `day`, or the shipped one that no worker has entered yet."""
        found = await policy_versions.in_force(session, policy_id, day)
        shipped = [each for each in self._shipped if each.id == policy_id and each.in_force(day)]
        return found or max(shipped, key=lambda each: each.version, default=None)

    def calendar(self, policy: Policy, start: date) -> WorkingDays:
        """The working days a policy counts by, for the years a limit from `start` may reach.

        Raises:
            domain.working_days.CalendarError: the calendar's table is missing.
        """
        rule = policy.calendar
        return calendar_for(rule, range(start.year, start.year + 3), self._tables.get(rule.working_days.value))


__all__ = ["Jurisdictions"]
