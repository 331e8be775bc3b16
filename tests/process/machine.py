"""The random walk: whatever people and feeds can do to one to three overlapping recalls, in any order.

Numbers pick among what is there (a recall, a consignee, a disposition), so that a step still means something after
earlier ones were taken out of the walk.
"""

from tests.process.goods_steps import GoodsSteps
from tests.process.people_steps import PeopleSteps


class ProcessMachine(PeopleSteps, GoodsSteps):
    """Every step there is."""


__all__ = ["ProcessMachine"]
