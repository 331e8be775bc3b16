"""Documents owed to authorities: the draft from the record, what people add to it, its frozen submissions.

`obligation` is the id of a deadline, or `{jurisdiction}:{name}` of an obligation or gate, because some documents are
owed without an instant: a report before the start, a draft notice for comments, a record that is kept.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.document_desk import TYPES, assembled, form_of, put_fields, read_fields
from api.document_submission import submission_out, submit_draft
from api.idempotency import Answer, once
from api.problems import problems
from api.records import load
from api.security.bearer import Principal
from api.signing import signs
from db.repositories import comment_windows, submissions
from domain.roles import Permission
from models.access import IdempotencyKey
from models.schemas_documents import CommentWindowOut, FieldsIn, FieldsOut, SubmissionOut, SubmitDraftIn

_RESPONSES = problems("unauthenticated", "not_permitted", "recall_unknown", "obligation_unknown", "invalid")
router = APIRouter(
    prefix="/recalls/{number}",
    tags=["obligations"],
    responses=_RESPONSES,
)
_OF = "/obligations/{obligation}"
Wanted = Annotated[
    str,
    Path(
        pattern=r"^([1-9][0-9]{0,14}|[a-z0-9-]{1,20}:[a-z0-9_:#-]{1,80})$",
        description="The deadline's id, or `{jurisdiction}:{name}` of an obligation or gate.",
        examples=["17", "eu-mdr:fsn_comments"],
    ),
]
Editor = Annotated[Principal, Depends(require(Permission.SUBMIT_OBLIGATION))]
Submitter = Annotated[
    Principal, Depends(signs(Permission.SUBMIT_OBLIGATION, "I submit this document to its recipient"))
]


@router.get(
    f"{_OF}/draft",
    operation_id="readDraft",
    summary="The document as the record makes it now",
    response_class=Response,
    responses={200: {"description": "The draft", "content": {media.split(";")[0]: {} for media in TYPES.values()}}},
)
async def read_draft(
    number: NumberDep,
    obligation: Wanted,
    _: ReaderDep,
    state: StateDep,
    form: Annotated[Literal["json", "html", "pdf"], Query(alias="format")] = "json",
    language: Annotated[
        Literal["en", "zh-CN"] | None, Query(description="Of HTML and PDF; else the authority's.")
    ] = None,
) -> Response:
    """Every field is filled from the record or listed under `missing` with who owes it. The ETag is the hash of the
    JSON form whatever form is read; a submission names it.
    """
    found = await assembled(state, number, obligation)
    content, sha256 = await form_of(found, form, language)
    headers = {"ETag": f'"{sha256}"', "Cache-Control": "no-store"}
    if form != "json":
        headers["Content-Disposition"] = f'attachment; filename="{number}-{found.subject.kind.KIND}.{form}"'
    return Response(content, media_type=TYPES[form], headers=headers)


@router.get(f"{_OF}/fields", operation_id="readDocumentFields", summary="What people stated, and what is missing")
async def get_fields(number: NumberDep, obligation: Wanted, _: ReaderDep, state: StateDep) -> FieldsOut:
    """The stated values and explanations in force, and every open field with who owes it."""
    return await read_fields(state, number, obligation)


@router.put(
    f"{_OF}/fields",
    operation_id="stateDocumentFields",
    summary="State what no record holds",
    responses=problems("conflict"),
)
async def state_fields(
    number: NumberDep, obligation: Wanted, body: FieldsIn, principal: Editor, state: StateDep
) -> FieldsOut:
    """Replace the stated set as a whole, as a new version; earlier versions stay on record."""
    return await put_fields(state, number, obligation, body, principal)


@router.post(
    f"{_OF}/draft/submit",
    operation_id="submitDraft",
    summary="Freeze and submit the draft",
    status_code=201,
    response_model=SubmissionOut,
    responses=problems(
        "idempotency_key_missing",
        "signature_required",
        "not_trained",
        "stale_proposal",
        "document_incomplete",
        "obligation_not_open",
        "drill_blocked",
        "transport_not_configured",
        "conflict",
        "request_in_progress",
        "idempotency_key_reused",
        "evidence_unavailable",
    ),
)
async def submit(
    request: Request,
    number: NumberDep,
    obligation: Wanted,
    body: SubmitDraftIn,
    key: KeyDep,
    principal: Submitter,
    state: StateDep,
) -> JSONResponse:
    """Signed. Exactly the draft that was read is stored as JSON, HTML and PDF by hash; a later one is a correction.

    Where a person sends it, the receipt is stated here and the obligation is met; a transport brings its receipt later.
    """

    async def carry_out(_: IdempotencyKey) -> Answer:
        return await submit_draft(state, number, obligation, body, principal, key)

    return await once(state, request, principal, key, asked=body, operation=carry_out)


@router.get(f"{_OF}/submissions", operation_id="listSubmissions", summary="What was submitted")
async def list_submissions(number: NumberDep, obligation: Wanted, _: ReaderDep, state: StateDep) -> list[SubmissionOut]:
    """Every version with its hashes and what became of it, oldest first."""
    found = await assembled(state, number, obligation)
    async with state.sessions() as session:
        rows = await submissions.of_subject(session, number, found.subject.owed.subject)
        events = await submissions.events(session, [row.id or 0 for row in rows])
    return [submission_out(row, events[row.id or 0]) for row in rows]


@router.get("/comment-windows", operation_id="listCommentWindows", summary="Time authorities have to comment")
async def list_comment_windows(number: NumberDep, _: ReaderDep, state: StateDep) -> list[CommentWindowOut]:
    """Per gate with a comment window: when the draft was sent, when the window ends, and any conflict with the limit of
    the notice together with the ways to settle it.
    """
    recall, now = await load(state, number), state.now()
    async with state.sessions() as session:
        rows = await comment_windows.windows(session, recall)
    return [
        CommentWindowOut(
            gate=f"{row.jurisdiction}:{row.gate}",
            title=row.title,
            source=row.source,
            sent_at=row.sent_at,
            ends_at=row.ends_at,
            policy_ends_at=row.policy_ends_at,
            notice_due_at=row.notice_due_at,
            open=row.is_open(now),
            settled=row.settled,
            conflict=row.conflict,
        )
        for row in rows
    ]


__all__ = ["router"]
