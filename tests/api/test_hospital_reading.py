"""Reading answers of recipients' systems: JSON and FHIR Tasks, and every fault named by its place."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.messaging.fhir_notice import notice_bundle
from api.hospital_answer import read_answer
from api.problems import Problem
from tests.messaging.builders import DELIVERY
from tests.messaging.machine import machine

pytestmark = pytest.mark.unit
EXAMPLES = sorted((Path(__file__).parents[3] / "shared" / "data" / "fhir" / "r4").glob("*.json"))


def task_of(delivery: str, status: str, *outputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The Task as it went out, with what the hospital's system writes into it."""
    bundle = json.loads(notice_bundle(machine(), answer_url="https://recall.firm.example/x"))
    task: dict[str, Any] = bundle["entry"][1]["resource"]
    task["identifier"][0]["value"] = delivery
    return task | {"status": status, "output": list(outputs)} | more


def output(code: str, value: Any, lot: str = "A1", *more: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"type": {"coding": [{"system": "urn:recall:fhir:answer", "code": code}]}}
    if isinstance(value, dict):
        return said | value | {"extension": [{"url": "urn:recall:fhir:lot", "valueString": lot}, *more]}
    if isinstance(value, bool):
        return said | {"valueBoolean": value}
    if isinstance(value, str):
        return said | {"valueString": value}
    return output(code, {"valueQuantity": {"value": value}}, lot)


QUANTITIES = [output(code, value) for code, value in (("on-hand", 4), ("held", 4), ("used", 5.5), ("passed-on", 0.5))]


def faults(kind: str, body: bytes | dict[str, Any]) -> tuple[str, dict[str, str]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Problem) as caught:
        read_answer(kind, raw, DELIVERY)
    return caught.value.kind, {each.pointer: each.detail for each in caught.value.errors}


LOT = {"url": "urn:recall:fhir:lot", "valueString": "A1"}


@pytest.mark.parametrize(
    ("task", "pointer"),
    [
        (task_of(str(uuid4()), "accepted"), "#/identifier"),
        (task_of(str(DELIVERY), "accepted", identifier=[]), "#/identifier"),
        (task_of(str(DELIVERY), "draft"), "#/status"),
        (task_of(str(DELIVERY), "completed"), "#/output"),
        (task_of(str(DELIVERY), "completed", output("on hand", 3)), "#/output/0/type/coding"),
        (task_of(str(DELIVERY), "completed", *QUANTITIES[:3]), "#/lots/0/passed_on"),
        (task_of(str(DELIVERY), "completed", *QUANTITIES, QUANTITIES[0]), "#/output/4"),
        (task_of(str(DELIVERY), "completed", QUANTITIES[0] | {"extension": []}), "#/output/0/extension"),
        (task_of(str(DELIVERY), "completed", output("used", {"valueString": "3"})), "#/output/0/valueQuantity"),
        (
            task_of(str(DELIVERY), "completed", output("used", {"valueQuantity": {"value": 3, "comparator": "<"}})),
            "#/output/0/valueQuantity/comparator",
        ),
        (task_of(str(DELIVERY), "completed", output("used", -1), *QUANTITIES[:2]), "#/lots/0/used"),
        (task_of(str(DELIVERY), "completed", output("affected", "yes")), "#/output/0/valueBoolean"),
        (
            task_of(str(DELIVERY), "completed", output("receiver", {"valueReference": {"reference": "#nobody"}})),
            "#/output/0/extension",
        ),
        ({"resourceType": "Task", "status": "accepted"}, "#/intent"),
        ({"resourceType": "Patient"}, "#/resourceType"),
        ({"resourceType": "Task", "intent": "order", "status": "accepted", "isSecret": True}, "#/isSecret"),
    ],
)
def test_a_task_that_cannot_be_taken_is_refused_by_its_place(task: dict[str, Any], pointer: str) -> None:
    kind, found = faults("application/fhir+json", task)
    assert kind == "invalid"
    assert pointer in found, found


BASE = {"schema_version": "recall-answer/1.0", "delivery_id": str(DELIVERY)}
ROW = {"lot": "A1", "on_hand": 1, "held": 1, "used": 0, "passed_on": 0}


@pytest.mark.parametrize(
    ("answer", "pointer", "expected"),
    [
        (BASE, "#/", "expected acknowledged, refused, affected, lots or harm"),
        (BASE | {"acknowledged": True, "refused": True}, "#/", "refused: expected without"),
        (BASE | {"affected": False, "lots": [ROW]}, "#/", "affected: expected true"),
        (BASE | {"acknowledged": True, "schema_version": "recall-answer/2.0"}, "#/schema_version", "recall-answer/1.0"),
        ({"acknowledged": True} | BASE | {"delivery_id": "x"}, "#/delivery_id", "UUID"),
        (BASE | {"acknowledged": True, "acknowleged": True}, "#/acknowleged", "not permitted"),
        (BASE | {"lots": [ROW | {"used": None}]}, "#/lots/0/used", "Decimal"),
        (BASE | {"lots": [{"lot": "A1", "on_hand": 1, "held": 1, "used": 0}]}, "#/lots/0/passed_on", "required"),
        (BASE | {"lots": [ROW | {"held": -1}]}, "#/lots/0/held", "greater than or equal to 0"),
        (BASE | {"lots": [ROW | {"held": "1e400"}]}, "#/lots/0/held", "digits"),
        (BASE | {"lots": [ROW | {"held": "NaN"}]}, "#/lots/0/held", "finite"),
        (BASE | {"lots": [ROW | {"gtin": "123"}]}, "#/lots/0/gtin", "pattern"),
        (BASE | {"lots": [ROW], "remark": "a\u0007b"}, "#/", "control characters"),
        (BASE | {"lots": [ROW], "passed_on_to": [{"name": "X", "lots": []}]}, "#/passed_on_to/0/lots", "at least 1"),
    ],
)
def test_an_answer_that_cannot_be_taken_is_refused_by_its_place(
    answer: dict[str, Any], pointer: str, expected: str
) -> None:
    kind, found = faults("application/json", answer)
    assert kind == "invalid"
    assert expected in found[pointer], found


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":NaN', b'"text'])
def test_what_is_no_json_is_called_so(body: bytes) -> None:
    for kind in ("application/json", "application/fhir+json"):
        assert faults(kind, body)[0] == "bad_request"


def test_the_answer_of_the_document_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "channels.md").read_text()
    (example,) = [each for each in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if "recall-answer" in each]
    assert read_answer("application/json", example.encode(), DELIVERY).lots[0].lot == "L26-0412"


def test_another_content_type_is_not_guessed_at() -> None:
    for kind in ("", "text/plain", "application/xml", "application/fhir+xml"):
        assert faults(kind, b"{}")[0] == "unsupported_media_type"
    assert read_answer("application/json", json.dumps(BASE | {"lots": [ROW]}).encode(), DELIVERY).lots[0].lot == "A1"


@pytest.mark.skipif(not EXAMPLES, reason="HL7's examples are not beside the checkout")
def test_other_resources_and_tasks_of_others_are_refused_by_their_place() -> None:
    for path in EXAMPLES:
        kind, found = faults("application/fhir+json", path.read_bytes())
        foreign = path.name.startswith("Task")
        assert (kind, set(found)) == ("invalid", {"#/identifier" if foreign else "#/resourceType"}), path.name
