"""Classes suggested from text: ask about any text, read what was suggested for a recall. Advice, never a decision."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body

from api.deps import NumberDep, ReaderDep, StateDep
from api.problems import problems
from api.records import load
from api.suggestion_views import stored_out, suggestion_out
from db.repositories import suggestions
from domain.class_suggestion import suggest
from models.schemas_suggestions import StoredSuggestionOut, SuggestionIn, SuggestionOut

router = APIRouter(tags=["suggestions"])
_EXAMPLE = Body(
    openapi_examples={
        "pump": {
            "summary": "A syringe that may not be sterile",
            "value": {
                "reason": "Lack of assurance of sterility: the seal of the pouch may be open.",
                "product_description": "Prefilled saline flush syringe for intravenous use, 10 mL, sterile",
            },
        }
    }
)


@router.post(
    "/suggestions",
    operation_id="suggestClass",
    summary="Suggest a class from text",
    responses=problems("unauthenticated", "not_permitted", "too_large", "invalid"),
)
async def suggest_class(_: ReaderDep, state: StateDep, body: Annotated[SuggestionIn, _EXAMPLE]) -> SuggestionOut:
    """The class a reason and a product description suggest, how likely each class is, and the words that speak for it.

    Nothing is stored. A text that is not English, or says nothing the model knows, gets no suggestion and why.
    """
    # A long text takes some tens of milliseconds of pure computation, which would hold up every other request.
    return suggestion_out(await asyncio.to_thread(suggest, state.advice, body.reason, body.product_description))


@router.get(
    "/recalls/{number}/suggestions",
    operation_id="listSuggestions",
    summary="Classes suggested for a recall",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown"),
)
async def list_suggestions(number: NumberDep, _: ReaderDep, state: StateDep) -> list[StoredSuggestionOut]:
    """The newest advice on record for each product line; written when classes are proposed."""
    await load(state, number)
    async with state.sessions() as session:
        return [stored_out(row) for row in await suggestions.latest(session, number)]


__all__ = ["router"]
