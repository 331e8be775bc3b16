"""A policy as it counts for one recall: whose holidays and whose days (regulations.md §9).

EU reports count by the holidays of the member state whose authority receives them, US limits by the zone of the
recalling firm. A profile names the usual place; a recall may name another when it starts.
"""

from domain.policy import EEA_STATES, Policy
from domain.policy_text import PolicyError, check_zone

_NOT_AS_BERLIN = {
    "BG": "Europe/Sofia",
    "CY": "Asia/Nicosia",
    "EE": "Europe/Tallinn",
    "FI": "Europe/Helsinki",
    "GR": "Europe/Athens",
    "IE": "Europe/Dublin",
    "IS": "Atlantic/Reykjavik",
    "LT": "Europe/Vilnius",
    "LV": "Europe/Riga",
    "PT": "Europe/Lisbon",
    "RO": "Europe/Bucharest",
}
_CENTRAL = "Europe/Berlin"
"""The state's own zone counts (regulations.md §9); the other states that apply the MDR share the time of Berlin."""


def at_place(policy: Policy, state: str | None, zone: str | None) -> Policy:
    """A policy as it counts for one recall: another member state's holidays, another zone's days.

    Raises:
        PolicyError: the zone does not exist, or the policy's calendar belongs to no member state.
    """
    changes: dict[str, object] = {}
    if state is not None:
        if policy.calendar.state is None:
            raise PolicyError([f"state: {policy.id} does not count by the holidays of a member state"])
        if state not in EEA_STATES:
            raise PolicyError(
                [f"state: {state!r} does not apply the MDR; expected one of {', '.join(sorted(EEA_STATES))}"]
            )
        changes["calendar"] = policy.calendar.model_copy(update={"state": state})
        zone = zone or _NOT_AS_BERLIN.get(state, _CENTRAL)
    if zone is not None:
        try:
            check_zone(zone)
        except PolicyError as error:
            raise PolicyError([f"zone: {zone!r} is no time zone; expected a name like Europe/Berlin"]) from error
        changes["zone"] = policy.zone.model_copy(update={"zone": zone})
    return policy.model_copy(update=changes) if changes else policy


def place_faults(policy: Policy, state: str | None, zone: str | None) -> list[tuple[str, str]]:
    """What is wrong with a place for a policy: (field, what was expected); nothing when it fits."""
    try:
        at_place(policy, state, zone)
    except PolicyError as error:
        return [(field, detail.strip()) for field, _, detail in (fault.partition(":") for fault in error.faults)]
    return []


__all__ = ["at_place", "place_faults"]
