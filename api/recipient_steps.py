"""One visit to the recipient page: which step it is at, what a posted step records, and the draft kept in between.

What is filled in is kept on the server after every step, under the link's holder, so that a closed browser loses
nothing; the draft ends with the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from api.nudge import nudge_after_reply, nudge_owners, nudge_recall
from api.recipient_access import RefusedLink, Visitor
from api.recipient_answer import acknowledgement, earlier_values, page_lots, statement
from api.recipient_view import reference_of
from api.reply_fields import LISTED, FieldError, ReplyStep, receiver_field
from api.reply_form import FormReading, ReplyAnswer, read_form
from api.reply_harm import REPORT, harm_beside, harm_in, harm_now, report_of
from api.reply_lots import figures_differ
from api.scan_check import LONGEST, Scan, check_code
from api.state import ApiState
from db.repositories import copy_answers, late_harm, recipient_read, reply_drafts
from db.repositories.onward import PassedOnToItself
from db.repositories.recipient_read import RecipientRecord, RecordedWords
from db.repositories.replies import FormReused, record_page_reply
from db.repositories.statements import EarlierStatement, UnknownLot, earlier_statements
from domain.phases import Phase, is_final
from models.replies import PageReply, RecordedReply

_WORTHLESS = {"acknowledged", LISTED}
"""Values that alone are no draft."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a visitor is, with the values known so far."""

    step: ReplyStep
    values: Mapping[str, str]
    reference: str | None = None
    errors: tuple[FieldError, ...] = ()
    scan: Scan | None = None
    resumed: bool = False
    history: tuple[EarlierStatement, ...] = ()
    questioned: bool = False
    """A query about the answer on record is open."""
    unrecorded: bool = False
    """The form had carried an answer already, and what was posted with it now differs."""
    fresh: bool = False
    """The posted form is used up: what is shown needs one of its own."""
    harm_told: bool = False
    """The posted form spoke of harm, which is on record although its answer is not taken."""


async def place_of(state: ApiState, visitor: Visitor, *, correcting: bool) -> Place:
    """The step to show first: a draft where there is one, else as far as the record goes."""
    record = visitor.record
    if record.state == "withdrawn":
        return Place(ReplyStep.WITHDRAWN, {})
    history = await _history(state, visitor)
    if record.last_reply_id is not None and not correcting and await _has_answered(state, record):
        return Place(ReplyStep.DONE, {}, reference_of(visitor, record.last_reply_id), history=history)
    questioned = bool(history) and record.state == "acknowledged" and visitor.change is None
    if record.draft_answers and record.state != "open":
        return replace(_resumed(visitor), history=history, questioned=questioned)
    proposal = dict(record.draft_answers or _proposal(history, visitor))
    proposal.pop("acknowledged", None)
    if record.state == "open":
        return Place(ReplyStep.ACKNOWLEDGE, proposal)
    values = {"acknowledged": "yes"} | proposal
    return Place(ReplyStep.AFFECTED, values, history=history, questioned=questioned)


async def _has_answered(state: ApiState, record: RecipientRecord) -> bool:
    """Whether there is nothing to ask: who pays has said all it can while its place has still to be told."""
    if record.state != "open" or record.last_reply_id is None or record.delivery_id is None:
        return record.state == "answered"
    async with state.sessions() as session:
        return await copy_answers.was_one(session, record.last_reply_id, record.delivery_id)


def _resumed(visitor: Visitor) -> Place:
    # Fields of lots that are asked no more are left out.
    reading = _as_it_is(visitor, {**(visitor.record.draft_answers or {}), "step": visitor.record.draft_step or ""})
    step = ReplyStep.AFFECTED if reading.step is ReplyStep.ACKNOWLEDGE else reading.step
    return Place(step, {"acknowledged": "yes"} | reading.values, resumed=True)


async def _history(state: ApiState, visitor: Visitor) -> tuple[EarlierStatement, ...]:
    if visitor.record.last_reply_id is None:
        return ()
    async with state.sessions() as session:
        return tuple(await earlier_statements(session, visitor.record.consignee_id))


def _proposal(history: tuple[EarlierStatement, ...], visitor: Visitor) -> dict[str, str]:
    return earlier_values(history[0], visitor.lots) if history else {}


async def take(state: ApiState, visitor: Visitor, form: Mapping[str, str], form_id: str) -> Place:
    """Read the posted step, record what it completes and keep the rest."""
    record = visitor.record
    if form.get(REPORT):
        return await _report_harm(state, visitor, form, form_id)
    if record.state == "withdrawn":
        harm_told = await _harm_beside(state, visitor, _as_it_is(visitor, form).values, form_id, None)
        return Place(ReplyStep.WITHDRAWN, {}, harm_told=harm_told)
    if record.form_reply_id is not None:
        return await _carried_already(state, visitor, form, form_id, record.form_reply_id)
    if form.get("discard"):
        return await _start_afresh(state, visitor)
    code = form.get("code", "").strip() if not form.get("back") else ""
    wanted = {**form, "read_code": "yes"} if code else form  # the Enter key of a scanner is no "continue"
    reading = read_form(wanted, page_lots(visitor.lots), hospital=visitor.hospital)
    if form.get("step") == ReplyStep.ACKNOWLEDGE and reading.values.get("acknowledged") == "yes":
        await _record(state, acknowledgement(record, form_id, state.now()))
    if reading.answer is not None:
        return await _finish(state, visitor, form_id, reading, reading.answer)
    scan = await _scan(state, visitor, code) if code or form.get("read_code") else None
    values = dict(reading.values)
    if scan is not None and scan.lot_key is not None and reading.step is ReplyStep.AFFECTED:
        values["affected"] = "yes"
    await keep(state, visitor, form_id, reading.step, values)
    return Place(reading.step, values, None, reading.errors, scan)


def _as_it_is(visitor: Visitor, form: Mapping[str, str]) -> FormReading:
    """The form read as if its language had been changed: cleaned, nothing is checked."""
    return read_form({**form, "switch_lang": "as it is"}, page_lots(visitor.lots), hospital=visitor.hospital)


async def _harm_beside(
    state: ApiState, visitor: Visitor, posted: Mapping[str, str], form_id: str, recorded: RecordedWords | None
) -> bool:
    """Record the harm in a form whose answer is not taken; returns whether it speaks of any."""
    found = harm_beside(posted, recorded)
    if found is not None:
        await _tell_harm(state, visitor, report_of(found, visitor.record, form_id, state.now()))
    return found is not None or harm_in(posted) is not None


async def _carried_already(
    state: ApiState, visitor: Visitor, form: Mapping[str, str], form_id: str, reply_id: int
) -> Place:
    """A double click, a reload, the back button: what was recorded stands, unless it has been asked for anew since.

    Whoever changed figures or the remark in another tab is told that these are not recorded; harm always is.
    """
    posted = _as_it_is(visitor, form).values
    words = await _words_of(state, reply_id) if posted.get("remark") or harm_in(posted) else None
    harm_told = await _harm_beside(state, visitor, posted, form_id, words)
    if visitor.record.state == "open":
        async with state.sessions() as session:
            asked_anew = not await copy_answers.was_one(session, reply_id)
        if asked_anew:
            return replace(await place_of(state, visitor, correcting=False), fresh=True, harm_told=harm_told)
    history = await _history(state, visitor)
    recorded = next((earlier_values(each, visitor.lots) for each in history if each.reply_id == reply_id), {})
    changed = figures_differ(posted, recorded, page_lots(visitor.lots))
    changed |= words is not None and not words.has(posted.get("remark", ""))
    return Place(
        ReplyStep.DONE,
        recorded,
        reference_of(visitor, reply_id),
        history=history,
        unrecorded=bool(recorded) and changed,
        harm_told=harm_told,
    )


async def _words_of(state: ApiState, reply_id: int) -> RecordedWords:
    async with state.sessions() as session:
        return await recipient_read.words_of(session, reply_id)


async def _scan(state: ApiState, visitor: Visitor, code: str) -> Scan:
    async with state.sessions() as session:
        return await check_code(session, visitor.record.number, code[:LONGEST], page_lots(visitor.lots))


async def keep(state: ApiState, visitor: Visitor, form_id: str, step: ReplyStep, values: Mapping[str, str]) -> None:
    """Keep what is filled in as the draft of the link's holder."""
    if not set(values) - _WORTHLESS:
        return
    record = visitor.record
    async with state.sessions.begin() as session:
        await reply_drafts.save(
            session,
            record.consignee_id,
            record.contact_id,
            form_id=form_id,
            step=step.value,
            answers=values,
            at=state.now(),
        )


async def _start_afresh(state: ApiState, visitor: Visitor) -> Place:
    """The draft is given up; files sent with it stay, as evidence of the recipient."""
    record = visitor.record
    async with state.sessions.begin() as session:
        await reply_drafts.end(session, record.consignee_id, record.contact_id)
    emptied = replace(visitor, record=replace(record, draft_form_id=None, draft_answers=None))
    return replace(await place_of(state, emptied, correcting=True), fresh=True)


async def _report_harm(state: ApiState, visitor: Visitor, form: Mapping[str, str], form_id: str) -> Place:
    """Record the harm and show the same step again with everything filled in so far."""
    await _tell_harm(state, visitor, harm_now(form, visitor.record, form_id, state.now()))
    if visitor.record.state == "withdrawn" or form.get("step") == ReplyStep.DONE:
        return await place_of(state, visitor, correcting=False)
    reading = _as_it_is(visitor, form)
    return Place(reading.step, reading.values)


async def _tell_harm(state: ApiState, visitor: Visitor, report: PageReply) -> None:
    """Record the report; under a recall that has ended nobody would look after it.

    What is told in a drill stays in it: it is no harm, and must neither page anybody nor stand under another recall.
    """
    if visitor.record.drill or not is_final(Phase(visitor.record.phase)):
        await _record(state, report)
        return
    async with state.sessions.begin() as session:
        late = await late_harm.take_from_page(session, report)
    if late.recall_number is not None:
        await nudge_recall(state, late.recall_number, "complaint")
    if late.paged is not None:
        await nudge_owners(state, [(late.paged.owner, late.paged.key)])


async def _finish(state: ApiState, visitor: Visitor, form_id: str, reading: FormReading, answer: ReplyAnswer) -> Place:
    try:
        recorded = await _record(state, statement(visitor.record, form_id, answer, state.now()))
    except PassedOnToItself:
        fault = FieldError(receiver_field(0, "email"), "error_receiver_email", receiver=0)
        return Place(ReplyStep.PASSED_ON, reading.values, None, (fault,))
    except (FormReused, UnknownLot) as error:
        record = visitor.record
        raise RefusedLink("foreign", "form_foreign", record.number, record.consignee_id) from error
    asked = any(finding.opens_query for finding in recorded.findings)
    return Place(reading.step, reading.values, reference_of(visitor, recorded.reply_id), questioned=asked)


async def _record(state: ApiState, reply: PageReply) -> RecordedReply:
    async with state.sessions.begin() as session:
        recorded = await record_page_reply(session, reply)
    await nudge_after_reply(state, reply.recall_number, reply.consignee_id, recorded)
    return recorded


__all__ = ["Place", "keep", "place_of", "take"]
