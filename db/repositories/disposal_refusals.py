"""Why a disposition, return, cost or allocation is refused: the kind of problem, the field, what was expected."""

from collections.abc import Sequence

from domain.disposition import Fault
from models.recall import Recall


class DisposalRefused(Exception):  # noqa: N818 - a refusal in the words of the API
    """Nothing was changed; `kind` is a kind of problem of the API, `faults` name fields of the request."""

    def __init__(self, kind: str, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = tuple(faults)


def invalid(*faults: Fault) -> DisposalRefused:
    """A request whose fields do not fit together."""
    text = "; ".join(f"{fault.field}: {fault.expected}" for fault in faults)
    return DisposalRefused("invalid_input", f"Expected {text}.", faults)


def refuse_drill(recall: Recall, what: str) -> None:
    """A drill decides like a recall, and changes nothing that is real.

    Raises:
        DisposalRefused: it is a drill; `what` says what it does not do.
    """
    if recall.drill:
        raise DisposalRefused("drill_blocked", f"{recall.number} is a drill: {what}.")


__all__ = ["DisposalRefused", "invalid", "refuse_drill"]
