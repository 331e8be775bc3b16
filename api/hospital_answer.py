"""From a signed answer of a recipient's system to the record: who may speak, which lots it means, what is recorded."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.hospital_task import read_task
from api.problems import Problem, field_problems
from db.repositories.consignee_lots import ConsigneeLotRow
from db.repositories.webhook_answers import AnsweredDelivery
from domain.notice_content import visible
from models.harm import HarmStated
from models.replies import PassedOnLot, PassedOnTo, StatedLot, WebhookReply
from models.schemas_common import FieldProblem
from models.schemas_hospital import HospitalAnswerIn, LotNamed

JSON, FHIR = "application/json", "application/fhir+json"


def read_answer(content_type: str, body: bytes, delivery_id: UUID) -> HospitalAnswerIn:
    """The answer of a body, about this delivery.

    Raises:
        Problem: another content type, no JSON, or values that cannot be taken; each with its pointer.
    """
    kind = content_type.partition(";")[0].strip().casefold()
    if kind not in {JSON, FHIR}:
        raise Problem("unsupported_media_type", f"Expected {JSON}, or {FHIR} with a Task.")
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        raise Problem("bad_request", "The body is not valid JSON.") from None
    answer = _validated(read_task(body)) if kind == FHIR else _validated(body)
    if answer.delivery_id != delivery_id:
        where = "#/identifier" if kind == FHIR else "#/delivery_id"
        raise _invalid([FieldProblem(pointer=where, detail="expected the id of the delivery in the address")])
    return answer


def _validated(given: bytes | Mapping[str, Any]) -> HospitalAnswerIn:
    try:
        if isinstance(given, bytes):
            return HospitalAnswerIn.model_validate_json(given)
        return HospitalAnswerIn.model_validate(given)
    except ValidationError as error:
        listed = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise _invalid(field_problems(RequestValidationError(listed))) from None


def reply_of(
    answer: HospitalAnswerIn,
    delivery: AnsweredDelivery,
    lots: Sequence[ConsigneeLotRow],
    *,
    form_id: str,
    at: datetime,
) -> WebhookReply:
    """The answer as it is recorded.

    Args:
        answer: as signed.
        delivery: what it answers.
        lots: those the consignee is asked for.
        form_id: identity of the message.
        at: when it arrived.

    Raises:
        Problem: a lot is not in the notice, is named twice, or could be two.
    """
    only_harm = answer.harm is not None and not (answer.acknowledged or answer.lots or answer.affected is not None)
    return WebhookReply(
        recall_number=delivery.number,
        consignee_id=delivery.consignee_id,
        delivery_id=delivery.delivery_id,
        at=at,
        form_id=form_id,
        affected=True if answer.lots else answer.affected,
        statements=_nothing(lots, delivery) if answer.affected is False else _stated(answer, lots),
        passed_on=_passed_on(answer, lots),
        responder_name=answer.responder.name if answer.responder else None,
        responder_role=answer.responder.role if answer.responder else None,
        free_text=answer.remark or ("The recipient's system refuses the notice." if answer.refused else None),
        harm=HarmStated(**answer.harm.model_dump()) if answer.harm else None,
        needs_contact=answer.refused or only_harm,
    )


def _nothing(lots: Sequence[ConsigneeLotRow], delivery: AnsweredDelivery) -> tuple[StatedLot, ...]:
    """Zero of every lot that the answered notice named; of one that came in later it says nothing."""
    zero, named = Decimal(0), [row for row in lots if row.scope_version <= delivery.named_up_to]
    return tuple(StatedLot(lot_id=row.lot_id, on_hand=zero, used=zero, held=zero, passed_on=zero) for row in named)


def _stated(answer: HospitalAnswerIn, lots: Sequence[ConsigneeLotRow]) -> tuple[StatedLot, ...]:
    stated: dict[int, StatedLot] = {}
    for place, each in enumerate(answer.lots):
        lot_id = _lot_id(each, lots, f"#/lots/{place}")
        if lot_id in stated:
            raise _invalid([FieldProblem(pointer=f"#/lots/{place}/lot", detail="expected each lot once")])
        figures = each.model_dump(exclude={"lot", "gtin", "product"}, exclude_none=True)
        stated[lot_id] = StatedLot(lot_id=lot_id, **figures)
    return tuple(stated.values())


def _passed_on(answer: HospitalAnswerIn, lots: Sequence[ConsigneeLotRow]) -> tuple[PassedOnTo, ...]:
    given = []
    for place, receiver in enumerate(answer.passed_on_to):
        where = f"#/passed_on_to/{place}/lots"
        ids = [_lot_id(each, lots, f"{where}/{index}") for index, each in enumerate(receiver.lots)]
        if len(set(ids)) != len(ids):
            raise _invalid([FieldProblem(pointer=where, detail="expected each lot once per receiver")])
        listed = [PassedOnLot(lot_id=lot, quantity=each.quantity) for lot, each in zip(ids, receiver.lots, strict=True)]
        given.append(PassedOnTo(**receiver.model_dump(exclude={"lots"}), lots=tuple(listed)))
    return tuple(given)


def _lot_id(named: LotNamed, lots: Sequence[ConsigneeLotRow], where: str) -> int:
    """The lot that is meant; told apart by GTIN or product where the number alone leaves a doubt."""
    found = [
        row
        for row in lots
        if named.lot in {row.printed, visible(row.printed), row.key}
        and (named.gtin is None or named.gtin == row.gtin)
        and (named.product is None or named.product in {row.product, visible(row.product)})
    ]
    if len(found) == 1:
        return found[0].lot_id
    if found:
        detail = "two products have this lot: expected gtin or product with it"
    else:
        known = ", ".join(visible(row.printed) for row in lots[:10])
        detail = f"expected a lot of the notice: {known}{' ...' if len(lots) > 10 else ''}"
    raise _invalid([FieldProblem(pointer=f"{where}/lot", detail=detail)])


def _invalid(errors: Sequence[FieldProblem]) -> Problem:
    return Problem("invalid", "The answer cannot be taken; see `errors`.", errors=errors)


__all__ = ["FHIR", "JSON", "read_answer", "reply_of"]
