"""The jurisdictions a recall can be started under: the ids of the regulation profiles on disk."""

from datetime import date
from pathlib import Path
from typing import Final

from domain.policy import Policy, parse_policy

FOLDER: Final = Path(__file__).parent.parent / "policies"


class Jurisdictions:
    """Which profile is in force when; the workers pin the content, this only answers "is there one"."""

    def __init__(self, policies: list[Policy]) -> None:
        self._policies = policies

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "Jurisdictions":
        """Read every profile.

        Raises:
            domain.policy.PolicyError: a file is not a valid profile.
        """
        return cls([parse_policy(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.yaml"))])

    def in_force(self, day: date) -> list[str]:
        """Ids of the profiles in force on `day`."""
        return sorted({policy.id for policy in self._policies if policy.in_force(day)})


__all__ = ["Jurisdictions"]
