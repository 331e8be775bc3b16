"""The regulation profiles a worker runs on: versions from PostgreSQL, calendars and shipped profiles from files.

The files are read and validated once per worker; a fault stops the worker with its path.
"""

import logging
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import SessionFactory
from db.repositories import policy_versions
from db.repositories.policy_versions import Seeded, Shipped
from domain.calendars import calendar_for
from domain.policy import Policy, PolicyError, parse_policy
from domain.working_days import WorkingDays

_log = logging.getLogger("worker.policies")
_SAID = {
    "in_force": "shipped profile %s version %d is in force",
    "draft": "shipped profile %s version %d is a draft: it has to be reviewed and approved (recall policy list)",
    "differs": "profile %s version %d on file differs from the version in the database, which counts",
    "not_next": "shipped profile %s version %d is not the next version of those in the database; it was left out",
}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError([f"{file.name}: file: expected UTF-8, byte {error.start + 1} is none"]) from error
    except OSError as error:
        raise PolicyError([f"{file.name}: file: cannot be read: {error.strerror}"]) from error


class PolicyStore:
    """Profiles by id; a recall pins what it starts with, so a new version never changes a running recall."""

    def __init__(self, shipped: Sequence[Shipped], tables: dict[str, str] | None = None) -> None:
        self._shipped = tuple(shipped)
        self._tables = tables or {}

    @classmethod
    def load(cls, folder: Path) -> "PolicyStore":
        """Read every `*.yaml` of the folder.

        Raises:
            PolicyError: a file is not a valid profile; each fault names the file and its path.
        """
        shipped = []
        for file in sorted(folder.glob("*.yaml")):
            text = _text(file)
            try:
                shipped.append(Shipped(parse_policy(text), text))
            except PolicyError as error:
                raise PolicyError([f"{file.name}: {line}" for line in str(error).splitlines()]) from error
        tables = {file.stem: _text(file) for file in (folder / "calendars").glob("*.yaml")}
        return cls(shipped, tables)

    async def in_force(self, session: AsyncSession, policy_id: str, now: datetime) -> Policy | None:
        """The version of a profile in force on the day of `now` (UTC), if there is one.

        A profile that no worker has entered into the database yet is entered now, as at a worker's start.
        """
        day = now.date()
        found = await policy_versions.in_force(session, policy_id, day)
        if found is not None or self.shipped(policy_id, day) is None:
            return found
        if await policy_versions.is_known(session, policy_id):
            return None
        await policy_versions.seed(session, [each for each in self._shipped if each.policy.id == policy_id], now)
        return await policy_versions.in_force(session, policy_id, day)

    def shipped(self, policy_id: str, day: date) -> Policy | None:
        """The newest shipped version valid on `day`, whatever the database says."""
        found = [item.policy for item in self._shipped if item.policy.id == policy_id and item.policy.in_force(day)]
        return max(found, key=lambda policy: policy.version, default=None)

    async def seed(self, sessions: SessionFactory, now: datetime) -> list[Seeded]:
        """Enter the shipped profiles that are missing, and say what is not as the files have it."""
        async with sessions.begin() as session:
            found = await policy_versions.seed(session, self._shipped, now)
        for each in found:
            level = logging.INFO if each.outcome == "in_force" else logging.WARNING
            _log.log(level, _SAID[each.outcome], each.policy_id, each.version)
        return found

    def calendar(self, policy: Policy, start: date) -> WorkingDays:
        """The working days a policy counts by, for the years a limit from `start` may reach.

        Raises:
            domain.working_days.CalendarError: the calendar's table is missing.
        """
        rule = policy.calendar
        return calendar_for(rule, range(start.year, start.year + 3), self._tables.get(rule.working_days.value))
