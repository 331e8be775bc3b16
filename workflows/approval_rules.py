"""Who signs next under a decision that several people sign, and what each signature must satisfy."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from domain.roles import HEADS, Permission, Role
from models.messages import Actor
from workflows.rules import holds, other_person, permit, refuse


class Signed(BaseModel):
    """A signature given so far."""

    role: str
    principal: str
    content: str
    """What was signed, as text that is equal for equal decisions."""


class Turn(NamedTuple):
    """The signature a decision brings."""

    role: str
    place: int
    of: int

    @property
    def last(self) -> bool:
        """Whether nobody else has to sign after it."""
        return self.place == self.of


def covers(actor: Actor, role: str) -> bool:
    """Whether the actor may sign for a function: holds it, or is its head."""
    head = HEADS.get(Role(role))
    return role in actor.roles or (head is not None and head.value in actor.roles)


def may_sign(actor: Actor, needed: Iterable[str], permission: Permission) -> None:
    """Refuse whoever has neither the permission of the step nor a function that has to sign it."""
    if not holds(actor, permission) and not any(covers(actor, role) for role in needed):
        permit(actor, permission)


def missing(needed: Iterable[str], given: Sequence[Signed]) -> list[str]:
    """The functions that still have to sign, in order."""
    have = Counter(each.role for each in given)
    left = []
    for role in needed:
        if have[role]:
            have[role] -= 1
        else:
            left.append(role)
    return left


def both(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """What two rules need together: the first's signers, and whom the second asks for beside them."""
    return (*first, *missing(second, [Signed(role=role, principal="", content="") for role in first]))


def next_turn(needed: Sequence[str], given: Sequence[Signed], actor: Actor, content: str) -> Turn:
    """The place of the actor's signature.

    The order is the rule's; every signature is another person's, and all of them are under the same decision.
    """
    for each in given:
        other_person(actor, each.principal, f"signed already, for {each.role},")
    if given and content != given[0].content:
        refuse("HashMismatch", "this differs from what was signed before; all must sign the same decision")
    left = missing(needed, given)
    role = left[0] if left else needed[-1]
    if not covers(actor, role):
        refuse("NotPermitted", f"the next signature is due from {role} (or its head), not from {actor.principal}")
    return Turn(role, len(given) + 1, len(given) + max(1, len(left)))


__all__ = ["Signed", "Turn", "both", "covers", "may_sign", "missing", "next_turn"]
