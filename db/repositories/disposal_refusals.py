"""Why a disposition, return, cost or allocation is refused: the kind of problem, the field, what was expected."""

from collections.abc import Sequence

from domain.disposition import Fault


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


__all__ = ["DisposalRefused", "invalid"]
