"""From the recipient page's form to the record: the form's binding to its link, and the answer as a reply.

A form id carries an HMAC over the recall and the consignee it was made for, so that a form of one recipient is
recognised when it is posted to another's link, without any session on the server.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import phonenumbers

from api.reply_fields import GONE, QUANTITIES, PageLot, quantity_field
from api.reply_form import ReceiverAnswer, ReplyAnswer
from db.repositories.consignee_lots import ConsigneeLotRow
from db.repositories.recipient_read import RecipientRecord
from db.repositories.statements import EarlierStatement
from domain.harm import mentions_harm
from domain.notice_content import plain
from models.harm import HarmStated
from models.replies import PageReply, PassedOnLot, PassedOnTo, StatedLot

_ROLE_LENGTH = 100
_REMARK_LENGTH = 2000
_CUT = " [...]"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def new_form_id(secret: str, recall_no: str, consignee_id: int) -> str:
    """A one-time id of 45 characters, good for this consignee of this recall only."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{_seal(secret, nonce, recall_no, consignee_id)}"


def is_form_of(secret: str, form_id: str, recall_no: str, consignee_id: int) -> bool:
    """Whether the form was made for this consignee of this recall."""
    nonce, dot, seal = form_id.partition(".")
    expected = _seal(secret, nonce, recall_no, consignee_id)
    return bool(dot) and hmac.compare_digest(seal.encode(), expected.encode())


def _seal(secret: str, nonce: str, recall_no: str, consignee_id: int) -> str:
    key = hmac.digest(secret.encode(), b"recipient form", hashlib.sha256)
    content = f"{nonce}\n{recall_no}\n{consignee_id}".encode(errors="replace")
    return urlsafe_b64encode(hmac.digest(key, content, hashlib.sha256)[:16]).rstrip(b"=").decode()


def page_lots(rows: Sequence[ConsigneeLotRow]) -> tuple[PageLot, ...]:
    """The consignee's lots as the page lists them."""
    return tuple(
        PageLot(
            key=str(row.lot_id),
            product=row.product,
            lot=row.key,
            shipped=row.received,
            unit=row.unit,
            gtin=row.gtin,
            last_shipped_on=row.last_shipped_on,
            stated=row.stated,
            returned=row.returned,
            number=row.number,
        )
        for row in rows
    )


def earlier_values(statement: EarlierStatement, lots: Sequence[ConsigneeLotRow]) -> dict[str, str]:
    """An earlier answer as form values, to be corrected. Receivers are asked for again.

    "None of these lots" said nothing about a lot that has come in since, so then it is not proposed.
    """
    values = {"acknowledged": "yes"}
    complete = {row.lot_id for row in lots} <= {lot.lot_id for lot in statement.lots}
    if statement.affected or (statement.affected is False and complete):
        values["affected"] = "yes" if statement.affected else "no"
    for lot in statement.lots:
        figures = {name: getattr(lot, name) for name in (*QUANTITIES, *GONE)}
        values |= {
            quantity_field(name, str(lot.lot_id)): plain(figure)
            for name, figure in figures.items()
            if figure is not None
        }
    return values


def acknowledgement(record: RecipientRecord, form_id: str, at: datetime) -> PageReply:
    """The notice was received; quantities follow on the next pages."""
    return PageReply(
        recall_number=record.number,
        consignee_id=record.consignee_id,
        delivery_id=record.delivery_id,
        at=at,
        form_id=f"{form_id}:ack",
    )


def statement(record: RecipientRecord, form_id: str, answer: ReplyAnswer, at: datetime) -> PageReply:
    """The complete answer."""
    remarks = []
    if answer.confirm_reason:
        remarks.append(f"Figures above our shipments, reason given: {answer.confirm_reason}")
    if len(answer.responder_role) > _ROLE_LENGTH:
        remarks.append(f"Role: {answer.responder_role}")
    receivers = _receivers(answer.receivers, record.country, remarks)
    remarks += [answer.remark] if answer.remark else []
    return PageReply(
        recall_number=record.number,
        consignee_id=record.consignee_id,
        delivery_id=record.delivery_id,
        at=at,
        form_id=form_id,
        affected=answer.affected,
        statements=tuple(
            StatedLot(
                lot_id=int(lot.key),
                **{name: getattr(lot, name) for name in ("on_hand", "used", "held", "passed_on", *GONE)},
            )
            for lot in answer.lots
        ),
        passed_on=receivers,
        responder_name=answer.responder_name,
        responder_role=answer.responder_role[:_ROLE_LENGTH],
        free_text=_kept("\n".join(remarks)),
        harm=_harm(answer),
        patients=answer.patients,
        contact_id=record.contact_id,
    )


def _kept(text: str) -> str | None:
    """The text as far as the record has room for it; what was cut is seen to be cut."""
    return (text if len(text) <= _REMARK_LENGTH else f"{text[: _REMARK_LENGTH - len(_CUT)]}{_CUT}") or None


def _harm(answer: ReplyAnswer) -> HarmStated | None:
    """Harm asked for, or told in the remark, wherever in it."""
    if answer.harm is not None:
        return answer.harm.stated()
    return HarmStated(description=answer.remark) if answer.remark and mentions_harm(answer.remark) else None


def _receivers(given: Sequence[ReceiverAnswer], country: str | None, remarks: list[str]) -> tuple[PassedOnTo, ...]:
    """One entry per site, its lots added up; a telephone nobody can dial is kept as a remark."""
    lots: defaultdict[tuple[str, str | None, str | None], defaultdict[int, Decimal]] = defaultdict(
        lambda: defaultdict(Decimal)
    )
    for receiver in given:
        phone = e164(receiver.phone, country)
        if receiver.phone and phone is None:
            remarks.append(f"Telephone of {receiver.name} as given: {receiver.phone}")
        if receiver.quantity > 0:
            lots[receiver.name, receiver.email, phone][int(receiver.lot_key)] += receiver.quantity
    return tuple(
        PassedOnTo(
            name=name,
            kind="hospital",
            email=email,
            phone=phone,
            lots=tuple(PassedOnLot(lot_id=lot, quantity=quantity) for lot, quantity in sorted(of_site.items())),
        )
        for (name, email, phone), of_site in lots.items()
    )


def e164(phone: str | None, country: str | None) -> str | None:
    """The number in E.164, read as one of `country` where it has no country code; None when it is not valid."""
    if not phone:
        return None
    try:
        parsed = phonenumbers.parse(phone, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    number = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    # Some countries leave the length open: an extension, or two numbers in one box, are no number to dial.
    return number if _E164.fullmatch(number) else None


__all__ = [
    "acknowledgement",
    "e164",
    "earlier_values",
    "is_form_of",
    "new_form_id",
    "page_lots",
    "statement",
]
