"""The recipient page put together: what the record knows of the visitor, with what was filled in, as one answer."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.responses import HTMLResponse

from api.recipient_access import Visitor, page_headers
from api.recipient_answer import earlier_values, is_form_of, new_form_id, page_lots
from api.reply_fields import FieldError, ReplyStep
from api.reply_pages import EarlierAnswer, ReplyPage, render_reply_page
from api.return_label_file import has_labels
from api.scan_check import Scan
from api.state import ApiState
from db.repositories.statements import EarlierStatement


async def page_of(
    state: ApiState,
    token: str,
    visitor: Visitor,
    language: str,
    *,
    values: Mapping[str, str],
    errors: tuple[FieldError, ...] = (),
    form_id: str | None = None,
    reference: str | None = None,
    more: bool = False,
    harm_told: bool = False,
    scan: Scan | None = None,
    resumed_on: str | None = None,
    history: Sequence[EarlierStatement] = (),
    questioned: bool = False,
    unrecorded: bool = False,
) -> ReplyPage:
    """All that `render_reply_page` needs; without `form_id` the form gets a new one.

    Reason and hazard are those of the notice that was released and sent, never what the recall says by now.
    """
    record = visitor.record
    told = await state.told_words.of(state.sessions, record.notice_id, language)
    return ReplyPage(
        **_known(state, visitor),
        reason=told.reason if told else None,
        hazard=told.hazard if told else None,
        texts_language=told.language if told else language,
        action=f"/r/{token}",
        csp_nonce=secrets.token_urlsafe(12),
        form_id=form_id or new_form_id(visitor.secret, record.number, record.consignee_id),
        values=values,
        errors=errors,
        more_receivers=more,
        harm_told=harm_told,
        reference=reference,
        scan=scan,
        resumed_on=resumed_on,
        questioned=questioned,
        unrecorded=unrecorded,
        history=tuple(_earlier(visitor, each) for each in history),
        labels=record.returns_approved and await has_labels(state, record.number, record.consignee_id),
    )


def _known(state: ApiState, visitor: Visitor) -> dict[str, Any]:
    """What the record says, whatever is filled in."""
    record, settings = visitor.record, state.settings
    lots = page_lots(visitor.lots)
    return {
        "recall_no": record.number,
        "firm_name": settings.company_name,
        "firm_phone": settings.company_phone,
        "firm_email": settings.company_email,
        "recipient_name": record.recipient_name,
        "products": tuple(dict.fromkeys(lot.product for lot in lots)),
        "lots": lots,
        "urgent": record.recall_class != "III",
        "drill": record.drill,
        "hospital": visitor.hospital,
        "change": visitor.change,
        "sites": record.shared and visitor.all_sites,
        "push": state.push_key is not None and record.contact_id is not None and not record.drill,
    }


def resumed_form_id(visitor: Visitor) -> str | None:
    """The draft's own form id, so that two tabs make one answer; None where it is of another secret."""
    record, form_id = visitor.record, visitor.record.draft_form_id
    good = form_id is not None and is_form_of(visitor.secret, form_id, record.number, record.consignee_id)
    return form_id if good else None


def reference_of(visitor: Visitor, reply_id: int) -> str:
    """What a recipient quotes on the telephone."""
    return f"{visitor.record.number}/{reply_id}"


def show(step: ReplyStep, language: str, page: ReplyPage, *, posted: bool = False) -> HTMLResponse:
    """The step as an answer: 422 where something has to be corrected; `posted`: the answer to a form."""
    headers = page_headers(page.csp_nonce, script=step is ReplyStep.LOTS, posted=posted)
    headers["Content-Language"] = language
    return HTMLResponse(render_reply_page(step, language, page), 422 if page.errors else 200, headers)


def _earlier(visitor: Visitor, statement: EarlierStatement) -> EarlierAnswer:
    return EarlierAnswer(
        reference_of(visitor, statement.reply_id),
        f"{statement.at:%Y-%m-%d %H:%M} UTC",
        statement.affected is not False,
        earlier_values(statement, visitor.lots),
    )


__all__ = ["page_of", "reference_of", "resumed_form_id", "show"]
