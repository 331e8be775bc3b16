"""The notice as FHIR R4: a transaction with a Communication (what is said) and a Task (what is to be done).

Both are created only where the receiver does not have them yet (`ifNoneExist` by our identifier), so a repeat neither
doubles them nor takes back what the receiver has noted in its Task. The models of `fhir.resources` check what is
built; names follow the mapping table of FHIR R4 (Communication, Task, Device.udiCarrier).
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from fhir.resources.R4B.bundle import Bundle

from domain.attachment import Attachment
from domain.fhir_terms import (
    ANSWER_SYSTEM,
    ASK_SYSTEM,
    DELIVERY_SYSTEM,
    GTIN_EXTENSION,
    LOT_EXTENSION,
    RECALL_SYSTEM,
    TASK_SYSTEM,
)
from domain.notice_content import NoticeKind
from domain.notice_machine import MachineLot, MachineNotice

FHIR_JSON: Final = "application/fhir+json"
_GTIN: Final = "https://www.gs1.org/gtin"
_GS1_DI: Final = "http://hl7.org/fhir/NamingSystem/gs1-di"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/communication-category"
_TASK_CODE: Final = "http://hl7.org/fhir/CodeSystem/task-code"
_TEST: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
_CATEGORIES: Final = {NoticeKind.REMINDER: "reminder", NoticeKind.ESCALATION: "reminder"}
_ASKING: Final = {"stop_use", "answer"}


def notice_bundle(notice: MachineNotice, *, attachments: Sequence[Attachment] = (), answer_url: str) -> bytes:
    """The transaction of one message as JSON; the same message gives the same bytes.

    Args:
        notice: what is told.
        attachments: files that go with it (the letter as PDF, the recipient's lots as CSV).
        answer_url: where the updated Task is posted back to.
    """
    said, done = _full_url(notice.delivery_id, "Communication"), _full_url(notice.delivery_id, "Task")
    entries = [_entry(said, _communication(notice, attachments), DELIVERY_SYSTEM, notice.delivery_id)]
    if _ASKING & set(notice.notice.asks):
        entries.append(_entry(done, _task(notice, said, answer_url), TASK_SYSTEM, notice.delivery_id))
    bundle = Bundle.model_validate(
        {
            "resourceType": "Bundle",
            "meta": _meta(notice),
            "identifier": {"system": DELIVERY_SYSTEM, "value": str(notice.delivery_id)},
            "type": "transaction",
            "entry": entries,
        }
    )
    return canonical(bundle.model_dump_json())


def canonical(text: str) -> bytes:
    """JSON with sorted keys and no spaces."""
    return json.dumps(json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _entry(full_url: str, resource: dict[str, Any], system: str, delivery_id: UUID) -> dict[str, Any]:
    request = {"method": "POST", "url": resource["resourceType"], "ifNoneExist": f"identifier={system}|{delivery_id}"}
    return {"fullUrl": full_url, "resource": resource, "request": request}


def _full_url(delivery_id: UUID, resource: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{DELIVERY_SYSTEM}:{delivery_id}:{resource}')}"


def _meta(notice: MachineNotice) -> dict[str, Any] | None:
    return {"tag": [_TEST]} if notice.notice.drill else None


def _communication(notice: MachineNotice, attachments: Sequence[Attachment]) -> dict[str, Any]:
    facts = notice.notice
    devices = [device for index, lot in enumerate(notice.lots, 1) for device in _devices(lot, index)]
    return {
        "resourceType": "Communication",
        "meta": _meta(notice),
        "language": facts.language,
        "contained": [*_parties(notice), *devices],
        "identifier": [{"system": DELIVERY_SYSTEM, "value": str(notice.delivery_id)}],
        "status": "completed",
        "category": [
            {"coding": [{"system": _CATEGORY, "code": _CATEGORIES.get(facts.kind, "alert")}], "text": facts.kind.value}
        ],
        "priority": _priority(notice),
        "topic": {
            "coding": [{"system": RECALL_SYSTEM, "code": facts.recall_no}],
            "text": f"{facts.market_action.value} {facts.recall_no}, class {facts.recall_class.value}",
        },
        "about": [{"reference": f"#{device['id']}"} for device in devices],
        "recipient": [{"reference": "#recipient"}],
        "sender": {"reference": "#sender"},
        "reasonCode": [{"text": facts.reason}],
        "payload": [
            {"contentString": notice.text},
            {"contentAttachment": _attachment("notice.json", "application/json", notice.canonical())},
            *({"contentAttachment": _attachment(each.name, each.content_type, each.content)} for each in attachments),
        ],
    }


def _task(notice: MachineNotice, communication: str, answer_url: str) -> dict[str, Any]:
    facts = notice.notice
    restriction = {"repetitions": 1}
    due = {"period": {"end": notice.respond_by.isoformat()}} if notice.respond_by else {}
    return {
        "resourceType": "Task",
        "meta": _meta(notice),
        "language": facts.language,
        "contained": _parties(notice),
        "identifier": [{"system": TASK_SYSTEM, "value": str(notice.delivery_id)}],
        "groupIdentifier": {"system": RECALL_SYSTEM, "value": facts.recall_no},
        "status": "requested",
        "intent": "order",
        "priority": _priority(notice),
        "code": {"coding": [{"system": _TASK_CODE, "code": "fulfill"}], "text": f"Recall {facts.recall_no}"},
        "description": notice.text,
        "focus": {"reference": communication},
        "authoredOn": facts.issued_on.isoformat(),
        "requester": {"reference": "#sender"},
        "owner": {"reference": "#recipient"},
        "restriction": restriction | due,
        "input": [
            *({"type": _coded(ASK_SYSTEM, "ask"), "valueCode": ask.value.replace("_", "-")} for ask in facts.asks),
            *(_shipped(lot) for lot in notice.lots),
            {"type": _coded(ANSWER_SYSTEM, "answer-url"), "valueUrl": answer_url},
            {"type": _coded(ANSWER_SYSTEM, "answer-page"), "valueUrl": notice.answer_link},
        ],
    }


def _priority(notice: MachineNotice) -> str:
    return "urgent" if notice.notice.urgent else "routine"


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _shipped(lot: MachineLot) -> dict[str, Any]:
    """How much of a lot went to the recipient; an answer has the same shape in `output`."""
    names = [{"url": LOT_EXTENSION, "valueString": lot.lot}]
    names += [{"url": GTIN_EXTENSION, "valueString": lot.gtin}] if lot.gtin else []
    return {
        "extension": names,
        "type": _coded(ANSWER_SYSTEM, "shipped"),
        "valueQuantity": {"value": lot.quantity, "unit": lot.unit},
    }


def _devices(lot: MachineLot, index: int) -> list[dict[str, Any]]:
    """One device per serial number, or one for the lot."""
    device = {
        "resourceType": "Device",
        "lotNumber": lot.lot,
        "deviceName": [{"name": lot.product, "type": "user-friendly-name"}],
        **({"identifier": [{"system": _GTIN, "value": lot.gtin}]} if lot.gtin else {}),
        **({"expirationDate": lot.expires_on.isoformat()} if lot.expires_on else {}),
    }
    if lot.udi_di or lot.gtin:
        issuer = {} if lot.udi_di and lot.udi_di != lot.gtin else {"issuer": _GS1_DI}
        device["udiCarrier"] = [{"deviceIdentifier": lot.udi_di or lot.gtin, **issuer}]
    if not lot.serials:
        return [device | {"id": f"lot-{index}"}]
    return [
        device | {"id": f"lot-{index}-{place}", "serialNumber": serial} for place, serial in enumerate(lot.serials, 1)
    ]


def _parties(notice: MachineNotice) -> list[dict[str, Any]]:
    sender = notice.notice.sender
    telecom = [{"system": "phone", "value": sender.phone}, {"system": "email", "value": sender.email}]
    return [
        {"resourceType": "Organization", "id": "sender", "name": sender.firm, "telecom": telecom},
        {"resourceType": "Organization", "id": "recipient", "name": notice.recipient},
    ]


def _attachment(name: str, content_type: str, content: bytes) -> dict[str, Any]:
    return {
        "contentType": content_type,
        "title": name,
        "size": len(content),
        # SHA-1 is what FHIR R4 asks for here; the message as a whole is signed with HMAC-SHA256.
        "hash": base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode(),
        "data": base64.b64encode(content).decode(),
    }


__all__ = ["FHIR_JSON", "canonical", "notice_bundle"]
