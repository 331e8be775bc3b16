"""The names that our FHIR resources use where the standard has none: identifiers, codes of an answer, extensions."""

from typing import Final

RECALL_SYSTEM: Final = "urn:recall:number"
"""Identifier system of recall numbers."""
DELIVERY_SYSTEM: Final = "urn:recall:delivery"
"""Identifier system of a Communication: the delivery's id."""
TASK_SYSTEM: Final = "urn:recall:task"
"""Identifier system of a Task: the id of the delivery that brought it."""
ASK_SYSTEM: Final = "urn:recall:fhir:ask"
ANSWER_SYSTEM: Final = "urn:recall:fhir:answer"
"""Code system of Task.input and Task.output: `shipped`, the quantities of an answer, `affected`, `responder`."""
LOT_EXTENSION: Final = "urn:recall:fhir:lot"
"""Of which lot an input or output speaks: the lot as the notice prints it."""
GTIN_EXTENSION: Final = "urn:recall:fhir:gtin"
"""Of which product, where two products have a lot of the same number."""
QUANTITY_EXTENSION: Final = "urn:recall:fhir:quantity"
"""How much of the lot went to the receiver that an output refers to."""
