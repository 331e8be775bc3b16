"""What every workflow's update validators share: refuse with a typed reason, check permission, persons and reasons.

Every rule raises an `ApplicationError` whose type the API maps to a problem (`api/decisions.REFUSALS`).
"""

from typing import Any, NoReturn

from temporalio.exceptions import ApplicationError

from domain.roles import Permission, Role, may, roles_with, violates_four_eyes
from models.messages import Actor


def refuse(kind: str, text: str, *details: Any) -> NoReturn:
    """Refuse a decision with a typed reason; `details` are what a program may make of it."""
    raise ApplicationError(text, *details, type=kind, non_retryable=True)


def holds(actor: Actor, permission: Permission) -> bool:
    """Whether one of the actor's roles has `permission`."""
    return may([Role(role) for role in actor.roles if role in set(Role)], permission)


def permit(actor: Actor, permission: Permission) -> None:
    """Refuse an actor without `permission`."""
    if not holds(actor, permission):
        needed = " or ".join(roles_with(permission))
        refuse("NotPermitted", f"{permission} needs the role {needed}")


def other_person(actor: Actor, proposer: str, what: str) -> None:
    """Four eyes: refuse `actor` where `proposer` did `what` and is the same person."""
    if violates_four_eyes(proposer, actor.principal):
        refuse("FourEyes", f"{actor.principal} {what} and cannot also decide on it")


def need_reason(reason: str | None, what: str) -> None:
    """Refuse a decision that owes a reason and gives none."""
    if not reason or not reason.strip():
        refuse("ReasonRequired", f"{what} needs a reason")


__all__ = ["holds", "need_reason", "other_person", "permit", "refuse"]
