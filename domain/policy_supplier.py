"""How long a supplier has for its answers to a corrective action request, as a profile says."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import pairwise

from pydantic import model_validator

from domain.limits import ElapsedText
from domain.policy_figures import Sourced
from domain.supplier_request import HOUSE_DAYS, MOST_DAYS, Stage


class SupplierAnswers(Sourced):
    """Limit of each stage, counted from the issue of the request."""

    acknowledge: ElapsedText
    containment: ElapsedText
    cause: ElapsedText
    verification: ElapsedText

    @model_validator(mode="after")
    def _follow_one_another(self) -> "SupplierAnswers":
        limits = self.limits()
        for stage, limit in limits.items():
            if not timedelta(0) < limit <= timedelta(days=MOST_DAYS):
                raise ValueError(f"{stage.value}: expected more than zero and up to {MOST_DAYS} cd")
        for ahead, stage in pairwise(limits):
            if limits[stage] < limits[ahead]:
                raise ValueError(f"{stage.value}: expected no shorter than {ahead.value}")
        return self

    def limits(self) -> dict[Stage, timedelta]:
        """Every stage's limit as elapsed time, in their order."""
        return {stage: getattr(self, stage.value).as_timedelta() for stage in Stage}


def supplier_limits(rules: Iterable[SupplierAnswers | None]) -> Mapping[Stage, timedelta]:
    """What counts of several profiles: the shortest limit of each stage; the house's figures where none has a rule."""
    given = [rule.limits() for rule in rules if rule is not None]
    house = {stage: timedelta(days=count) for stage, count in HOUSE_DAYS.items()}
    return {stage: min(each[stage] for each in given) for stage in Stage} if given else house


__all__ = ["SupplierAnswers", "supplier_limits"]
