# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders that a recall has blocked take no further step; what they move is stopped at the moves."""

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from . import tools
from .indexed import IndexedMixin


class BlockableMixin:
    """Refuses steps of blocked documents, silently where a background task takes them."""

    __slots__ = ()

    @classmethod
    def check_recall_blocks(cls, records):
        """Raise `RecallError` for the first of these that is blocked."""
        if not Transaction().context.get(tools.OURS):
            for text in Pool().get("recall.block").blocked(set(map(str, records))).values():
                tools.refuse(f"{text} is blocked by a recall")

    @classmethod
    def not_blocked(cls, records):
        """Those of these that are not blocked."""
        blocked = Pool().get("recall.block").blocked(set(map(str, records)))
        return [each for each in records if str(each) not in blocked]


class OrderMixin(BlockableMixin):
    """A sale or a purchase: neither offered, confirmed nor processed further."""

    __slots__ = ()

    @classmethod
    def quote(cls, records):
        """Refused while blocked."""
        cls.check_recall_blocks(records)
        super().quote(records)

    @classmethod
    def confirm(cls, records):
        """Refused while blocked."""
        cls.check_recall_blocks(records)
        super().confirm(records)

    @classmethod
    def process(cls, records):
        """Left as it is while blocked: this runs by itself."""
        if free := cls.not_blocked(records):
            super().process(free)


class Sale(OrderMixin, metaclass=PoolMeta):
    """See `OrderMixin`."""

    __name__ = "sale.sale"


class Purchase(OrderMixin, metaclass=PoolMeta):
    """See `OrderMixin`."""

    __name__ = "purchase.purchase"


class Production(BlockableMixin, IndexedMixin, metaclass=PoolMeta):
    """A production order: not started while blocked, even without inputs."""

    __name__ = "production"

    @classmethod
    def run(cls, productions):
        """Refused while blocked."""
        cls.check_recall_blocks(productions)
        super().run(productions)
