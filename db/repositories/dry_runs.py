"""Dry runs over the record: versions of profiles by number, and what a past or running recall would be asked."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import assessment, branch_facts, clock_facts, policy_versions, recalls
from domain.branch_state import BranchState, effective, turned
from domain.dry_run import Scene, dry_run
from domain.dry_run_asks import DryRun
from domain.policy import Policy
from domain.policy_places import at_place
from domain.timeline import Calendars
from models.recall import Recall


async def policies_of(
    session: AsyncSession, ids: Iterable[str], day: date, versions: Mapping[str, int]
) -> dict[str, Policy]:
    """Profiles by id: the version asked for, whatever its state, else the one in force on `day`.

    Raises:
        LookupError: there is no such version, or none is in force; the text says which.
    """
    found: dict[str, Policy] = {}
    for name in ids:
        if name in versions:
            row = await policy_versions.find(session, name, versions[name])
            policy = Policy.from_pinned(row.body) if row else None
        else:
            policy = await policy_versions.in_force(session, name, day)
        if policy is None:
            asked = (
                f"version {versions[name]} of {name}" if name in versions else f"version of {name} in force on {day}"
            )
            raise LookupError(f"there is no {asked}")
        found[name] = policy
    return found


def placed_for(recall: Recall, policy: Policy) -> Policy:
    """A profile as it counts for this recall, whose authority or firm may be elsewhere than the profile says."""
    place = recall.places.get(policy.id) or {}
    return at_place(policy, place.get("state"), place.get("zone"))


async def run_recall(
    session: AsyncSession, recall: Recall, versions: Mapping[str, Policy], calendars: Calendars, now: datetime
) -> DryRun:
    """What this recall is asked by its record, under its pinned profiles with `versions` in place of some.

    Raises:
        LookupError: a profile does not know a level that was decided for the recall.
    """
    written = {policy.id: policy for policy in await recalls.pinned_as_written(session, recall.number)}
    written |= {name: placed_for(recall, policy) for name, policy in versions.items() if name in written}
    return dry_run(await scene_of(session, recall, written, calendars, now), written)


async def scene_of(
    session: AsyncSession, recall: Recall, written: Mapping[str, Policy], calendars: Calendars, now: datetime
) -> Scene:
    """The record of a recall as a dry run takes it, under profiles as written.

    Raises:
        LookupError: a profile does not know a level that was decided for the recall.
    """
    state = state_under(await branch_facts.state_of(session, recall.number), written, now)
    for name, level in await assessment.decided_levels(session, recall.number):
        if level not in written[name].levels:
            raise LookupError(f"{name} version {written[name].version} has no level {level}, which is decided")
    counting = {name: effective(policy, state) for name, policy in written.items()}
    return Scene(
        policies=counting,
        fired={
            name: tuple(key for key, each in state.of_policy(name).items() if each.until is None) for name in written
        },
        facts={name: state.facts_for(name) for name in written},
        timeline=await clock_facts.facts_of(session, recall, counting),
        calendars=calendars,
    )


def state_under(state: BranchState, written: Mapping[str, Policy], now: datetime) -> BranchState:
    """The recall's facts with the branches that hold under `written`; what held before keeps what it made owed."""
    return turned(state, state, written.values(), now).state


__all__ = ["placed_for", "policies_of", "run_recall", "scene_of", "state_under"]
