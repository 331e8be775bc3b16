"""What the SQL of one import needs to know of its mapping."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Load:
    """Parameters of one load, the same for every kind."""

    batch_id: int
    source_system: str
    units: Mapping[str, Decimal] = field(default_factory=dict)
    """Units of use per unit, as the mapping states them."""
    creates_lots: Mapping[str, bool] = field(default_factory=dict)
    """Role of a lot (`lot`, `input_lot`, `output_lot`) to whether the file may bring it."""
    lot_attributes: bool = False
    """Whether the file says anything of lots beside their numbers."""
    keeps_lots: bool = False
    """Keep a differing lot as recorded instead of rejecting the row."""
