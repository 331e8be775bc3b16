"""Citing evidence: the repository's refusal as a problem that points at each id in the request."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from api.problems import Problem
from db.repositories.evidence import EvidenceUnusable
from models.schemas_common import FieldProblem


@contextmanager
def citing(evidence_ids: Sequence[UUID | str], pointer: str = "#/evidence_ids") -> Iterator[None]:
    """Around whatever calls `evidence.link`: an unusable file becomes 422 `invalid` with one error per id.

    Args:
        evidence_ids: the ids as they stand in the request.
        pointer: where in the request they stand.
    """
    try:
        yield
    except EvidenceUnusable as error:
        errors = [
            FieldProblem(pointer=f"{pointer}/{index}", detail=error.faults[str(each)])
            for index, each in enumerate(evidence_ids)
            if str(each) in error.faults
        ]
        raise Problem("invalid", "The evidence cannot be cited; see `errors`.", errors=errors) from error


__all__ = ["citing"]
