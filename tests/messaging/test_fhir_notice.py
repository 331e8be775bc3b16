"""The notice as FHIR R4: what the bundle says, that the library's models take it, and that a repeat doubles nothing."""

import hashlib
import json
from typing import Any
from uuid import uuid4

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.communication import Communication
from fhir.resources.R4B.task import Task

from adapters.messaging.fhir_notice import notice_bundle
from domain.attachment import Attachment
from domain.notice_content import NoticeKind
from domain.notice_machine import MachineNotice
from tests.messaging.builders import DELIVERY
from tests.messaging.machine import machine

pytestmark = pytest.mark.unit
ANSWERS = "https://recall.firm.example/v1/webhooks/hospital"


def bundle_of(notice: MachineNotice, **changes: Any) -> tuple[Any, Any, Any]:
    raw = notice_bundle(notice, answer_url=f"{ANSWERS}/{DELIVERY}", **changes)
    bundle = Bundle.model_validate_json(raw)
    assert json.loads(bundle.model_dump_json()) == json.loads(raw)  # nothing is lost between model and bytes
    assert bundle.entry is not None
    said, *tasks = [entry.resource for entry in bundle.entry]
    assert isinstance(said, Communication)
    assert all(isinstance(task, Task) for task in tasks)
    return bundle, said, tasks[0] if tasks else None


def test_the_bundle_says_what_the_notice_says_and_stands_the_models_check() -> None:
    letter = Attachment("notice.pdf", "application/pdf", b"%PDF-1.7 ...")
    bundle, said, task = bundle_of(machine(), attachments=[letter])
    assert bundle.type == "transaction"
    assert (said.status, said.priority) == ("completed", "urgent")
    text, document, pdf = said.payload
    assert text.contentString == machine().text
    content = machine().canonical()
    assert document.contentAttachment.data == content
    assert document.contentAttachment.hash == hashlib.sha1(content).digest()  # noqa: S324 - FHIR R4 asks for it
    assert (pdf.contentAttachment.contentType, pdf.contentAttachment.size) == ("application/pdf", len(letter.content))
    devices = [each for each in said.contained if type(each).__name__ == "Device"]
    assert [each.reference for each in said.about] == [f"#{device.id}" for device in devices]
    assert [(each.lotNumber, each.serialNumber, each.udiCarrier[0].deviceIdentifier) for each in devices] == [
        ("A1", None, "00614141999996"),
        ("B2", "S-1", "08717648200274"),
        ("B2", "S-2", "08717648200274"),
    ]
    assert str(devices[1].expirationDate) == "2027-05-31"
    assert task is not None
    assert (task.status, task.intent, task.priority) == ("requested", "order", "urgent")
    assert task.focus.reference == bundle.entry[0].fullUrl
    assert task.restriction.period.end == machine().respond_by
    shipped = [each for each in task.input if each.type.coding[0].code == "shipped"]
    assert [(each.extension[0].valueString, float(each.valueQuantity.value)) for each in shipped] == [
        ("A1", 12.5),
        ("B2", 2.0),
    ]
    urls = {each.type.coding[0].code: str(each.valueUrl) for each in task.input if each.valueUrl}
    assert urls == {"answer-url": f"{ANSWERS}/{DELIVERY}", "answer-page": machine().answer_link}


def test_a_repeated_bundle_creates_nothing_twice() -> None:
    bundle, _, _ = bundle_of(machine())
    for entry, system in zip(bundle.entry, ("urn:recall:delivery", "urn:recall:task"), strict=True):
        assert entry.request.method == "POST"
        assert entry.request.ifNoneExist == f"identifier={system}|{DELIVERY}"
        assert entry.resource.identifier[0].value == str(DELIVERY)
    other, _, _ = bundle_of(machine(delivery_id=uuid4()))
    assert {each.fullUrl for each in other.entry}.isdisjoint({each.fullUrl for each in bundle.entry})


def test_a_retraction_asks_for_no_work_and_a_drill_is_marked_as_a_test() -> None:
    _, _, task = bundle_of(machine(NoticeKind.RETRACTION))
    assert task is None
    facts = machine().notice.model_copy(update={"drill": True})
    bundle, said, asked = bundle_of(machine(notice=facts))
    assert asked is not None
    assert {each.meta.tag[0].code for each in (bundle, said, asked)} == {"HTEST"}


def test_values_that_try_to_be_more_than_values_stay_values() -> None:
    name = '"}],"x":[{"a":"<script>alert(1)</script>{{7*7}}⟦link⟧'
    lot = machine().lots[0].model_copy(update={"lot": name, "product": name})
    _, said, task = bundle_of(machine(lots=(lot,), recipient=name, text=name))
    assert task is not None
    assert said.payload[0].contentString == name
    assert [each.lotNumber for each in said.contained if type(each).__name__ == "Device"] == [name]
