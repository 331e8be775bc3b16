"""Versions of regulation profiles as HTTP answers show them."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from domain.policy_diff import Change
from domain.policy_versions import VersionState, standing
from models.policy_version import PolicyVersion
from models.schemas_policies import PolicyChangeOut, PolicyItem, PolicyVersionItem, PolicyVersionOut

_ON_THE_WAY = (VersionState.DRAFT, VersionState.REVIEWED, VersionState.APPROVED)


def policy_items(rows: Sequence[PolicyVersion], day: date) -> list[PolicyItem]:
    """Profiles from all their versions, given by profile and version."""
    return [_item(list(group), day) for _, group in groupby(rows, key=lambda row: row.policy_id)]


def _item(rows: list[PolicyVersion], day: date) -> PolicyItem:
    in_force = [row for row in rows if standing(row, day) == VersionState.IN_FORCE]
    current = max(in_force, key=lambda row: (row.in_force_from or day, row.version), default=None)
    shown = current or rows[-1]
    return PolicyItem(
        id=shown.policy_id,
        title=shown.body["title"],
        title_zh=shown.body["title_zh"],
        in_force=current.version if current else None,
        in_force_from=current.in_force_from if current else None,
        open_versions=[row.version for row in rows if standing(row, day) in _ON_THE_WAY],
        newest=rows[-1].version,
    )


def version_item(row: PolicyVersion, day: date) -> PolicyVersionItem:
    """A version without its content."""
    return PolicyVersionItem(**_facts(row, day))


def version_out(row: PolicyVersion, day: date) -> PolicyVersionOut:
    """A version with its content."""
    return PolicyVersionOut(**_facts(row, day), body=row.body)


def _facts(row: PolicyVersion, day: date) -> dict[str, object]:
    known = row.model_dump(include=set(PolicyVersionItem.model_fields))
    return known | {"state": standing(row, day), "title": row.body["title"]}


def change_out(change: Change) -> PolicyChangeOut:
    """One difference."""
    return PolicyChangeOut(
        path=change.path,
        kind=change.kind,
        before=change.before,
        after=change.after,
        en=change.en,
        zh=change.zh,
    )


__all__ = ["change_out", "policy_items", "version_item", "version_out"]
