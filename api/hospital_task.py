"""A FHIR R4 Task as a recipient's system posts it back, read into the one answer that all systems give.

Status says what became of the notice, outputs say the quantities: each names its lot by an extension and its kind by
a code of `domain.fhir_terms.ANSWER_SYSTEM`. Outputs under other code systems are the receiver's own business.
"""

from collections.abc import Iterator
from typing import Any, Final

from fhir.resources.R4B.organization import Organization
from fhir.resources.R4B.task import Task
from pydantic import ValidationError

from api.problems import Problem
from domain.fhir_terms import ANSWER_SYSTEM, GTIN_EXTENSION, LOT_EXTENSION, QUANTITY_EXTENSION, TASK_SYSTEM
from models.schemas_common import FieldProblem
from models.schemas_hospital import SCHEMA

_TAKEN: Final = ("received", "accepted", "in-progress", "completed")
_REFUSED: Final = ("rejected", "failed", "cancelled")
_LOT_CODES: Final = {
    "on-hand": "on_hand",
    "held": "held",
    "used": "used",
    "passed-on": "passed_on",
    "returned": "returned",
    "destroyed": "destroyed",
}
_CODES: Final = (*_LOT_CODES, "affected", "responder-name", "responder-role", "remark", "harm", "receiver")


def read_task(body: bytes) -> dict[str, Any]:
    """The answer of a Task, ready for `HospitalAnswerIn`.

    Raises:
        Problem: no valid R4 Task, or one that says something we cannot take; each fault has its pointer.
    """
    try:
        task = Task.model_validate_json(body)
    except ValidationError as error:
        raise _invalid([_unread(each["loc"], each["msg"]) for each in error.errors()]) from None
    answer: dict[str, Any] = {"schema_version": SCHEMA, "delivery_id": _delivery_of(task)}
    answer |= _status(task)
    answer |= _outputs(task)
    if task.status == "completed" and "lots" not in answer and answer.get("affected") is not False:
        told = "expected quantities per lot, or affected = false, of a completed Task"
        raise _invalid([FieldProblem(pointer="#/output", detail=told)])
    return answer


def _delivery_of(task: Task) -> str:
    for each in task.identifier or []:
        if each.system == TASK_SYSTEM and each.value:
            return str(each.value)
    raise _fault("#/identifier", f"expected the identifier with system {TASK_SYSTEM} of the Task you got")


def _status(task: Task) -> dict[str, Any]:
    if task.status in _TAKEN:
        return {"acknowledged": True}
    if task.status in _REFUSED:
        reason = task.statusReason.text if task.statusReason else None
        return {"refused": True} | ({"remark": str(reason)} if reason else {})
    raise _fault("#/status", f"expected one of {', '.join((*_TAKEN, *_REFUSED))}")


def _outputs(task: Task) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    lots: dict[tuple[str, str | None], dict[str, Any]] = {}
    receivers: dict[str, dict[str, Any]] = {}
    for place, output in enumerate(task.output or []):
        for code in _codes_of(output, place):
            where = f"#/output/{place}"
            if code in _LOT_CODES:
                _note_quantity(lots, output, _LOT_CODES[code], where)
            elif code == "receiver":
                _note_receiver(receivers, task, output, where)
            else:
                _note_fact(answer, output, code, where)
    if lots:
        answer["lots"] = list(lots.values())
    if receivers:
        answer["passed_on_to"] = list(receivers.values())
    responder = {key: answer.pop(f"responder-{key}") for key in ("name", "role") if f"responder-{key}" in answer}
    return answer | ({"responder": responder} if responder else {})


def _codes_of(output: Any, place: int) -> Iterator[str]:
    for coding in output.type.coding or []:
        if coding.system != ANSWER_SYSTEM:
            continue
        if coding.code not in _CODES:
            raise _fault(f"#/output/{place}/type/coding", f"expected one of {', '.join(_CODES)}")
        yield str(coding.code)


def _lot_of(output: Any, where: str) -> tuple[str, str | None]:
    lot = _extension(output, LOT_EXTENSION)
    if lot is None or not lot.valueString:
        raise _fault(f"{where}/extension", f"expected the lot as valueString of {LOT_EXTENSION}")
    gtin = _extension(output, GTIN_EXTENSION)
    return str(lot.valueString), str(gtin.valueString) if gtin is not None and gtin.valueString else None


def _extension(output: Any, url: str) -> Any:
    return next((each for each in output.extension or [] if each.url == url), None)


def _note_quantity(lots: dict[tuple[str, str | None], dict[str, Any]], output: Any, name: str, where: str) -> None:
    lot, gtin = key = _lot_of(output, where)
    if output.valueQuantity is None or output.valueQuantity.value is None:
        raise _fault(f"{where}/valueQuantity", "expected a quantity with a value")
    if output.valueQuantity.comparator is not None:
        raise _fault(f"{where}/valueQuantity/comparator", "expected an exact quantity")
    row = lots.setdefault(key, {"lot": lot} | ({"gtin": gtin} if gtin else {}))
    if name in row:
        raise _fault(where, f"expected {name.replace('_', '-')} of a lot once")
    row[name] = str(output.valueQuantity.value)


def _note_receiver(receivers: dict[str, dict[str, Any]], task: Task, output: Any, where: str) -> None:
    lot, gtin = _lot_of(output, where)
    amount = _extension(output, QUANTITY_EXTENSION)
    if amount is None or amount.valueQuantity is None or amount.valueQuantity.value is None:
        raise _fault(f"{where}/extension", f"expected the quantity as valueQuantity of {QUANTITY_EXTENSION}")
    reference = str(output.valueReference.reference or "") if output.valueReference else ""
    contained = [each for each in task.contained or [] if isinstance(each, Organization)]
    found = next((each for each in contained if reference == f"#{each.id}" and each.name), None)
    if found is None:
        raise _fault(f"{where}/valueReference", "expected a reference to a contained Organization with a name")
    telecom = {each.system: str(each.value) for each in reversed(found.telecom or []) if each.value}
    kept = {"name": str(found.name), "lots": []} | {
        name: telecom[name] for name in ("email", "phone") if name in telecom
    }
    row = {"lot": lot, "quantity": str(amount.valueQuantity.value)} | ({"gtin": gtin} if gtin else {})
    receivers.setdefault(reference, kept)["lots"].append(row)


def _note_fact(answer: dict[str, Any], output: Any, code: str, where: str) -> None:
    if code == "affected":
        if output.valueBoolean is None:
            raise _fault(f"{where}/valueBoolean", "expected true or false")
        answer["affected"] = output.valueBoolean
        return
    if not output.valueString:
        raise _fault(f"{where}/valueString", "expected text")
    answer[code] = {"description": str(output.valueString)} if code == "harm" else str(output.valueString)


def _unread(path: tuple[int | str, ...], told: str) -> FieldProblem:
    # The library's sentences are broken over lines and name its classes by their Python names.
    if path == ("resource_type",):
        return FieldProblem(pointer="#/resourceType", detail="expected Task")
    return FieldProblem(pointer=_pointer(path), detail=" ".join(told.split())[:200])


def _pointer(path: tuple[int | str, ...]) -> str:
    return "#/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _fault(pointer: str, detail: str) -> Problem:
    return _invalid([FieldProblem(pointer=pointer, detail=detail)])


def _invalid(errors: list[FieldProblem]) -> Problem:
    return Problem("invalid", "The Task cannot be taken as an answer; see `errors`.", errors=errors)


__all__ = ["read_task"]
