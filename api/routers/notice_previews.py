"""Seeing a notice before it goes out: as one recipient would get it, and as a marked test to one's own address."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from api.deps import KeyDep, NumberDep, ReaderDep, StateDep, require
from api.idempotency import Answer, once
from api.links import make_link_token
from api.notice_preview import Previewed, previewed
from api.nudge import nudge_owners
from api.problems import Problem, problems
from api.records import load
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories import notice_preview, notice_tests
from domain.channels import Channel
from domain.notice_body import BodyError
from domain.notice_test_mark import TEST_PATH, link_for_test
from domain.phases import Phase, is_final
from domain.roles import Permission
from domain.sms_segments import sms_size
from domain.workflow_ids import recall_id
from models.access import IdempotencyKey
from models.notice import NoticeBody
from models.schemas_common import FieldProblem
from models.schemas_notice_content import (
    BodyChannel,
    BodyKind,
    PreviewFileOut,
    PreviewOut,
    TestSendIn,
    TestSendOut,
)
from models.schemas_recall import LanguageTag

router = APIRouter(prefix="/recalls/{number}/notices/{notice_id}", tags=["notices"])
test_page = APIRouter(include_in_schema=False)
NoticeId = Annotated[int, Path(ge=1, le=2**53, description="Notice id.")]
Worker = Annotated[Principal, Depends(require(Permission.WORK_TASKS))]
_TEXT: Final = Channel.SMS
_PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>TEST</title></head>
<body style="font-family:sans-serif;max-width:40em;margin:2em auto;padding:0 1em"><h1>TEST</h1>
<p>This link belongs to a test message. It answers for nobody, and nothing is recorded.</p>
<p lang="zh-CN">此链接属于测试消息，不代表任何单位作出回复，也不会记录任何内容。</p></body></html>"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which body is shown, and for whom."""

    kind: Annotated[BodyKind, Query(description="Step of the ladder, amendment or retraction.")] = "initial"
    channel: Annotated[BodyChannel, Query()] = "email"
    language: Annotated[LanguageTag, Query()] = "en"
    consignee: Annotated[int | None, Query(ge=1, le=2**53, description="Consignee id; the first one.")] = None


@test_page.get(TEST_PATH + "{token}")
async def read_test_page(token: Annotated[str, Path(max_length=200)]) -> HTMLResponse:
    """Where the link of a test leads: a page that says what it is."""
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}
    return HTMLResponse(_PAGE, headers=headers)


@router.get(
    "/preview",
    operation_id="previewNotice",
    summary="What one recipient would get",
    responses=problems("unauthenticated", "not_permitted", "recall_unknown", "not_found", "hash_mismatch", "invalid"),
)
async def preview(
    number: NumberDep,
    notice_id: NoticeId,
    _: ReaderDep,
    state: StateDep,
    asked: Annotated[Asked, Depends()],
) -> PreviewOut:
    """One stored body with one recipient's values. Nothing is stored or sent, and the link answers for nobody."""
    return _preview_out(await _previewed(state, number, notice_id, asked), number, notice_id, asked)


@router.get(
    "/preview/files/{name}",
    operation_id="previewNoticeFile",
    summary="A file that one recipient would get",
    response_class=Response,
    responses={
        200: {"description": "The file, by the same code as at sending", "content": {"application/octet-stream": {}}},
        **problems("unauthenticated", "not_permitted", "recall_unknown", "not_found", "hash_mismatch", "invalid"),
    },
)
async def preview_file(
    number: NumberDep,
    notice_id: NoticeId,
    _: ReaderDep,
    state: StateDep,
    name: Annotated[str, Path(max_length=100, description="As the preview names it.")],
    asked: Annotated[Asked, Depends()],
) -> Response:
    """Nothing is stored or sent, and the link in it answers for nobody."""
    shown = await _previewed(state, number, notice_id, asked)
    file = next((each for each in shown.files if each.name == name), None)
    if file is None:
        known = ", ".join(each.name for each in shown.files) or "none"
        raise Problem("not_found", f"The message has no such file; it has: {known}.")
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Cache-Control": "no-store"}
    return Response(file.content, media_type=file.content_type, headers=headers)


async def _previewed(state: ApiState, number: str, notice_id: int, asked: Asked) -> Previewed:
    """Raises `Problem` where there is no such body or consignee, or the body is no longer the one drafted."""
    await load(state, number)
    async with state.sessions() as session:
        body = await notice_preview.body_of(session, number, notice_id, asked.kind, asked.channel, asked.language)
        if body is None:
            raise Problem("not_found", f"Notice {notice_id} has no body {asked.kind}/{asked.channel}.{asked.language}.")
        found = await notice_preview.sample(session, number, body, _test_link(state, number), asked.consignee)
        owner = await notice_preview.letter_owner(session, body)
    if found is None:
        raise Problem("not_found", f"The recall {number} has no such consignee.")
    try:
        return previewed(found, owner)
    except (BodyError, ValueError, KeyError) as error:
        raise Problem("hash_mismatch", f"The stored body is not the one that was drafted: {error}.") from error


def _preview_out(shown: Previewed, number: str, notice_id: int, asked: Asked) -> PreviewOut:
    found, filled = shown.sample, shown.filled
    size = sms_size(filled.text) if found.body.channel == _TEXT else None
    slots = found.values.slots()
    query = urlencode({**asdict(asked), "consignee": found.consignee_id})
    return PreviewOut(
        kind=found.body.kind,
        channel=found.body.channel,
        language=found.body.language,
        consignee_id=found.consignee_id,
        recipient=found.recipient,
        subject=filled.subject,
        text=filled.text,
        html=filled.html,
        sms_encoding=size.encoding.value if size else None,
        sms_segments=size.segments if size else None,
        open_values=[name for name in ("respond_by", "first_notice_on") if not slots[name]],
        files=[
            PreviewFileOut(
                name=file.name,
                content_type=file.content_type,
                size=len(file.content),
                sha256=hashlib.sha256(file.content).hexdigest(),
                href=f"/v1/recalls/{number}/notices/{notice_id}/preview/files/{file.name}?{query}",
            )
            for file in shown.files
        ],
    )


@router.post(
    "/test-send",
    operation_id="testSendNotice",
    summary="Send one body to oneself",
    status_code=202,
    response_model=TestSendOut,
    responses=problems(
        "idempotency_key_missing",
        "unauthenticated",
        "not_permitted",
        "recall_unknown",
        "not_found",
        "drill_blocked",
        "recall_closed",
        "wrong_state",
        "request_in_progress",
        "invalid",
        "idempotency_key_reused",
        "rate_limited",
    ),
)
async def test_send(
    request: Request,
    number: NumberDep,
    notice_id: NoticeId,
    principal: Worker,
    key: KeyDep,
    state: StateDep,
    body: TestSendIn,
) -> JSONResponse:
    """Send a body to the caller's own staff address and nobody else, marked as a test; a drill sends nothing."""

    async def operation(_: IdempotencyKey) -> Answer:
        stored = await _sendable(state, number, notice_id, body)
        if wait := state.test_limiter.wait_needed(principal.name):
            raise Problem("rate_limited", "Too many test messages in a short time.", headers={"Retry-After": str(wait)})
        asked = notice_tests.Asked(principal.name, principal.shown_role, f"{number} {key}", state.now())
        async with state.sessions.begin() as session:
            try:
                row = await notice_tests.ask(session, number, stored, Channel(body.channel), asked)
            except notice_tests.NoAddress as error:
                raise Problem("wrong_state", f"{error}.") from error
            answer = Answer(202, TestSendOut(id=row.id or 0, channel=row.channel, state="pending"))
        await nudge_owners(state, [(recall_id(number), "notice_test")])
        return answer

    asked_with = {"operation": "test_send", "notice": notice_id, "body": body.model_dump(mode="json")}
    return await once(state, request, principal, key, asked=asked_with, operation=operation)


async def _sendable(state: ApiState, number: str, notice_id: int, asked: TestSendIn) -> NoticeBody:
    recall = await load(state, number)
    if recall.drill:
        raise Problem("drill_blocked", "A drill sends nothing, not even to its own staff; use the preview.")
    if is_final(Phase(recall.phase)):
        raise Problem("recall_closed", f"The recall has ended in phase {recall.phase}.")
    async with state.sessions() as session:
        body = await notice_preview.body_of(session, number, notice_id, asked.kind, asked.channel, asked.language)
    if body is None:
        fault = FieldProblem(pointer="#/kind", detail=f"expected a body of notice {notice_id}")
        name = f"{asked.kind}/{asked.channel}.{asked.language}"
        raise Problem("not_found", f"Notice {notice_id} has no body {name}.", errors=[fault])
    return body


def _test_link(state: ApiState, number: str) -> str:
    """As long as a real one: what fits a text message here fits it when it is sent."""
    secret = state.settings.link_secret
    key = secret.get_secret_value() if secret else "x" * 16
    delivery: UUID = uuid4()
    token = make_link_token(key, recall_no=number, consignee_id=1, delivery_id=delivery, expires_at=state.now())
    return link_for_test(state.settings.public_url, len(token))


__all__ = ["router", "test_page"]
