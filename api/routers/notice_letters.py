"""The PDF letter of a notice as an approver reads it: the very bytes that every message begins with."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from api.deps import NumberDep, ReaderDep, StateDep
from api.problems import Problem, problems
from api.records import load
from db.repositories import notice_preview
from domain.channels import Channel
from domain.notice_body import ApprovedBody, BodyError
from domain.notice_enclosure import Enclosed, EnclosureError, FileName
from models.schemas_notice_content import BodyKind
from models.schemas_recall import LanguageTag

router = APIRouter(prefix="/recalls/{number}/notices/{notice_id}", tags=["notices"])
_PDF: Final = {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}


@router.get(
    "/letter",
    operation_id="readNoticeLetter",
    summary="The PDF that goes with a notice",
    response_class=Response,
    responses={
        200: {"description": "The approved letter, without any recipient's own sheet", **_PDF},
        **problems("unauthenticated", "not_permitted", "recall_unknown", "not_found", "hash_mismatch", "invalid"),
    },
)
async def read_letter(
    number: NumberDep,
    notice_id: Annotated[int, Path(ge=1, le=2**53, description="Notice id.")],
    _: ReaderDep,
    state: StateDep,
    kind: Annotated[BodyKind, Query(description="A reminder has the letter of the first notice.")] = "initial",
    language: Annotated[LanguageTag, Query()] = "en",
) -> Response:
    """As stored with the draft; its hash is part of the hash that is approved."""
    await load(state, number)
    async with state.sessions() as session:
        body = await notice_preview.body_of(session, number, notice_id, kind, Channel.EMAIL, language)
        enclosed = _enclosed(body.body) if body else None
        if enclosed is not None and enclosed.letter is None and enclosed.letter_of is not None:
            of = enclosed.letter_of.value
            body = await notice_preview.body_of(session, number, notice_id, of, Channel.EMAIL, language)
            enclosed = _enclosed(body.body) if body else None
    if enclosed is None or enclosed.letter is None or enclosed.words is None:
        raise Problem("not_found", f"Notice {notice_id} has no letter {kind}.{language}.")
    try:
        content = enclosed.letter.read()
    except EnclosureError as error:
        raise Problem("hash_mismatch", f"The stored letter is not the one that was drafted: {error}.") from error
    name = FileName(enclosed.words, enclosed.facts.recall_no).notice
    shown = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/pdf", headers=shown)


def _enclosed(stored: dict[str, object]) -> Enclosed | None:
    try:
        body = ApprovedBody.from_json(stored)
        return Enclosed.from_json(body.enclosed) if body.enclosed is not None else None
    except (BodyError, EnclosureError) as error:
        raise Problem("hash_mismatch", f"The stored body is not the one that was drafted: {error}.") from error


__all__ = ["router"]
