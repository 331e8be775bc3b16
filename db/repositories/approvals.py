"""Signatures before the last one under decisions that several people sign, as `sign_off` rows of their own."""

from collections import defaultdict
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

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


__all__ = ["SIGNATURE", "given_signatures"]
