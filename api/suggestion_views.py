"""Suggestions as the API shows them, whether just made or on record."""

from dataclasses import asdict

from domain.class_suggestion import Suggestion
from models.schemas_suggestions import StoredSuggestionOut, SuggestionOut, WordOut
from models.suggestion import ClassSuggestion


def suggestion_out(given: Suggestion) -> SuggestionOut:
    """A suggestion that was just made."""
    return SuggestionOut(
        recall_class=given.recall_class.value if given.recall_class else None,
        confidence={each.value: chance for each, chance in given.confidence.items()},
        words_for=[WordOut(**asdict(word)) for word in given.words_for],
        words_against=[WordOut(**asdict(word)) for word in given.words_against],
        needs_review=given.needs_review,
        notes=list(given.notes),
        no_suggestion=given.no_suggestion,
        model_version=given.model_version,
    )


def stored_out(row: ClassSuggestion) -> StoredSuggestionOut:
    """A suggestion on record."""
    facts = row.model_dump(exclude={"id", "recall_number", "words"})
    words = {f"words_{side}": row.words[side] for side in ("for", "against")}
    return StoredSuggestionOut.model_validate(facts | words)


__all__ = ["stored_out", "suggestion_out"]
