"""What a dry run tells: each thing asked of somebody, and what two runs of one case ask differently."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Kind = Literal[
    "branch", "task", "extra_task", "signature", "gate", "notice", "ladder", "check", "report", "supplier", "closing"
]


class Ask(BaseModel):
    """One thing asked of somebody, or one rule that fired."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    key: str
    """Stable between versions of a policy, so that two runs can be compared."""
    jurisdiction: str
    """Policy that asks for it; `all` where several do and the strictest limit counts."""
    what: str
    what_zh: str
    who: tuple[str, ...] = ()
    """Functions: whoever is asked first, then who gets it when it is late; all signers of a signature."""
    asked_when: str = ""
    """The fact or event that sets it off."""
    asked_at: AwareDatetime | None = None
    limit: str = ""
    due_at: AwareDatetime | None = None
    rule: str
    """Policy version, basis and source of the figure."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class DryRun:
    """Everything asked under one set of versions."""

    versions: tuple[str, ...]
    asks: tuple[Ask, ...]


class Difference(BaseModel):
    """One ask that is other under the second versions than under the first."""

    model_config = ConfigDict(frozen=True)

    key: str
    kind: Literal["added", "removed", "changed"]
    what: str
    before: Ask | None
    after: Ask | None
    fields: tuple[str, ...] = ()
    """Which parts of it changed; the version named in `rule` alone is no change."""


_COMPARED: Final = ("what", "who", "asked_when", "asked_at", "limit", "due_at", "note")


def differences(before: DryRun, after: DryRun) -> tuple[Difference, ...]:
    """What two runs of one case ask differently, in the order of the second."""
    old, new = ({ask.key: ask for ask in run.asks} for run in (before, after))
    found = []
    for key, ask in new.items():
        known = old.get(key)
        if known is None:
            found.append(Difference(key=key, kind="added", what=ask.what, before=None, after=ask))
        elif fields := tuple(name for name in _COMPARED if getattr(known, name) != getattr(ask, name)):
            found.append(Difference(key=key, kind="changed", what=ask.what, before=known, after=ask, fields=fields))
    gone: Sequence[Ask] = [ask for key, ask in old.items() if key not in new]
    return (
        *found,
        *(Difference(key=each.key, kind="removed", what=each.what, before=each, after=None) for each in gone),
    )


__all__ = ["Ask", "Difference", "DryRun", "Kind", "differences"]
