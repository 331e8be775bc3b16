"""Who must sign a decision of this recall by its policies, and the signatures given while others are missing.

Signatures of a class or a notice before the last one are `sign_off` rows of their own; those under a disposition are
rows of its step.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.repositories import branch_facts, recalls
from domain.branch_state import BranchState
from domain.disposition import DispositionKind
from domain.expressions import holds
from domain.policy import Policy
from domain.policy_approvals import USUAL, ApprovalStep, required_signers
from domain.roles import HEADS, Role
from models.chain import Lot
from models.disposition import Disposition
from models.master import Product
from models.recall import SignOff

SIGNATURE: Final = ":signature"
"""End of the step of such a row; `outcome` is `signed`, or `void` for those before it of the same subject."""


async def given_signatures(session: AsyncSession, number: str) -> dict[str, list[SignOff]]:
    """Step -> signatures that count and wait for others, in order.

    Those under a decision that was taken meanwhile, or that were voided, do not count any more.
    """
    query = (
        select(SignOff).where(col(SignOff.recall_number) == number).order_by(col(SignOff.signed_at), col(SignOff.id))
    )
    found: dict[str, list[SignOff]] = defaultdict(list)
    for row in (await session.exec(query)).all():
        step = row.step.removesuffix(SIGNATURE)
        if not row.step.endswith(SIGNATURE):
            found.pop(step, None)
        elif row.outcome == "void":
            found[step] = [each for each in found[step] if each.body.get("subject") != row.body.get("subject")]
        else:
            found[step].append(row)
    return {step: rows for step, rows in found.items() if rows}


@dataclass(frozen=True, slots=True)
class Beside:
    """What the policies of a recall ask for beside the usual signatures under its dispositions."""

    policies: Sequence[Policy]
    """With the branches that hold applied."""
    state: BranchState
    prices: Mapping[int, Decimal]
    """Lot -> value of a unit of use in the recall's reporting currency; none where it has no price in it."""

    def of(self, found: Disposition) -> list[Role]:
        """The further functions that must sign one disposition, in order."""
        about = {"disposition": found.kind, "value": found.quantity * self.prices.get(found.lot_id, Decimal(0))}
        step = ApprovalStep.RELEASE if found.kind == DispositionKind.release.value else ApprovalStep.DISPOSITION
        rules = [
            rule.model_copy(update={"when": "true"})
            for policy in self.policies
            for rule in policy.approvals
            if rule.step == step and holds(rule.when, self.state.facts_for(policy.id).model_copy(update=about))
        ]
        return missing_roles(required_signers(rules, step, self.state.facts), USUAL[step])


async def beside(session: AsyncSession, number: str, rows: Sequence[Disposition]) -> Beside:
    """The rules of a recall for the signatures under these dispositions."""
    state = await branch_facts.state_of(session, number)
    lots = sorted({row.lot_id for row in rows})
    priced = select(col(Lot.id), col(Product.unit_value)).join(Product, col(Lot.product_id) == col(Product.id))
    priced = priced.where(col(Lot.id).in_(lots), col(Product.unit_currency) == state.currency)
    prices = {lot or 0: price for lot, price in (await session.exec(priced)).all() if price is not None}
    return Beside(await recalls.pinned(session, number), state, prices)


def missing_roles(needed: Iterable[Role], given: Iterable[str]) -> list[Role]:
    """The functions of `needed` that `given` does not hold yet, counted one by one, in order."""
    have = Counter(str(role) for role in given)
    left = []
    for role in needed:
        if have[role.value]:
            have[role.value] -= 1
        else:
            left.append(role)
    return left


def covers(roles: Iterable[str], wanted: Role) -> bool:
    """Whether a holder of `roles` may sign for a function: holds it, or is its head."""
    held = set(roles)
    return wanted.value in held or HEADS[wanted].value in held


__all__ = ["SIGNATURE", "Beside", "beside", "covers", "given_signatures", "missing_roles"]
