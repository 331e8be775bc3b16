"""The OpenAPI document: stable operation ids, shared error schema, and the headers our conventions require."""

import hashlib
from typing import Any, Final

from fastapi import FastAPI

from api.problems import MEDIA_TYPE
from models.schemas_common import ProblemDocument
from models.schemas_hospital import HospitalAnswerIn

TAGS: Final = [
    {"name": "recalls", "description": "Start, list and read recalls."},
    {"name": "decisions", "description": "What people decide; each is sent once per Idempotency-Key."},
    {"name": "assessment", "description": "Market actions, and our class, the approver's and the authority's."},
    {"name": "suggestions", "description": "Classes suggested from text: advice beside the decision table."},
    {"name": "recall records", "description": "Trace, holds, consignees, deliveries, replies, audit of one recall."},
    {"name": "notices", "description": "Content check of a notice, review of its texts, preview, test to oneself."},
    {"name": "campaigns", "description": "Notices on their way: paused, resumed, aborted."},
    {"name": "capa", "description": "Corrective and preventive action: cause, plan, verified effect."},
    {"name": "nonconformities", "description": "Product that does not conform: decided lot by lot; codes of records."},
    {"name": "supplier requests", "description": "Corrective action asked of suppliers, stage by stage."},
    {"name": "supplier", "description": "The page behind a supplier's signed link."},
    {"name": "obligations", "description": "Reports owed to authorities and the public."},
    {"name": "effectiveness", "description": "Checks that consignees received, understood and acted on the notice."},
    {"name": "disposition", "description": "What becomes of held and returned units, and the signed release gate."},
    {"name": "keepers", "description": "Who keeps stock besides our own ledger, which places, and how they fare."},
    {"name": "costs", "description": "What a recall costs, per currency."},
    {"name": "shortages", "description": "Sites left short, and the unaffected lots they get."},
    {"name": "closure", "description": "Completion checklist and mass balance."},
    {"name": "holds", "description": "Confirming that stock is locked."},
    {"name": "replies", "description": "Answers entered on a consignee's behalf."},
    {"name": "cases", "description": "Consignees that stay silent, refuse, or state what cannot be; patient counts."},
    {"name": "chasing", "description": "How far consignees are, whom to call next and what to say."},
    {"name": "complaints", "description": "Harm reported under a recall."},
    {"name": "tasks", "description": "What people have to do."},
    {"name": "staff", "description": "Our own people: addresses, functions, absence and who stands in."},
    {"name": "signatures", "description": "Electronic signatures: password, period, training, what was signed."},
    {"name": "policies", "description": "Regulation profiles: versions under change control, differences, dry runs."},
    {"name": "evidence", "description": "Files that prove what happened."},
    {"name": "retention", "description": "How long files are kept, legal holds, deletion and tombstones."},
    {"name": "master data", "description": "Products, places, and who is calling."},
    {"name": "recipient", "description": "The page behind a signed link, for recipients without an account."},
    {"name": "expert", "description": "The page behind an outside expert's signed link."},
    {"name": "webhooks", "description": "Called by Twilio and by recipients' systems, verified by signature."},
    {"name": "health", "description": "For supervisors and load balancers."},
]


def install_openapi(app: FastAPI) -> None:
    """Replace the app's generator by one that completes the document once."""
    generate = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(generate())
        assert app.openapi_schema is not None  # noqa: S101 - generate() has set it
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for shared in (ProblemDocument, HospitalAnswerIn):  # the latter is read by hand, behind its signature
        model = shared.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(model.pop("$defs", {}))
        schemas[shared.__name__] = model
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    shared_problems = document["components"].setdefault("responses", {})
    for path in document["paths"].values():
        for operation in path.values():
            _complete_operation(operation)
            _share_problems(operation["responses"], shared_problems)


def _share_problems(responses: dict[str, Any], shared: dict[str, Any]) -> None:
    """What is answered by hundreds of operations is written once: as one response per status and set of problems."""
    for status, response in responses.items():
        if list(response.get("content", {})) == [MEDIA_TYPE] and set(response) == {"description", "content"}:
            name = f"problem-{status}-{hashlib.sha256(response['description'].encode()).hexdigest()[:6]}"
            shared[name] = response
            responses[status] = {"$ref": f"#/components/responses/{name}"}


def _complete_operation(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] == "Idempotency-Key":
            # Read as optional, so that its absence is our 400 and not a validation error.
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "minLength": 1, "maxLength": 120, "pattern": "^[!-~]+$"}
    responses = operation["responses"]
    generated = responses.get("422", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if generated.get("$ref", "").endswith("/HTTPValidationError"):
        responses["422"] = {
            "description": "The request is not valid",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }


__all__ = ["TAGS", "install_openapi"]
