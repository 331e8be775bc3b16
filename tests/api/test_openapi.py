"""The committed OpenAPI document is the one the code makes, and keeps our conventions."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.problems import KINDS
from settings import Settings

pytestmark = pytest.mark.unit
COMMITTED = Path("openapi.json")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as the code makes it."""
    return create_app(Settings()).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(path, method, operation) of the whole document."""
    return [(path, method, op) for path, item in document["paths"].items() for method, op in item.items()]


def test_the_committed_document_is_current(document: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text()) == document, "run `make openapi` and commit openapi.json"


def test_operation_ids_are_unique_and_every_operation_has_a_known_tag(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", one) for one in ids)
    tags = {tag["name"] for tag in document["tags"]}
    assert all(set(operation["tags"]) <= tags for _, _, operation in operations(document))


def signed(path: str) -> bool:
    """Whether a machine calls it, known by its signature."""
    return "/webhooks/" in path or path == "/v1/keepers/{code}/changes"


def test_every_post_of_staff_needs_an_idempotency_key(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if path == "/v1/me/signing-session":
            continue  # a kept fingerprint of a body with a password would be something to guess at
        questions = {
            "/v1/policies/dry-run",
            "/v1/suggestions",
            "/v1/recalls/{number}/answers/bulk/preview",
            "/v1/trace",
        }
        if path in questions | {"/v1/keepers/{code}/probe"}:
            continue  # a question: it creates and decides nothing
        if method == "post" and path.startswith("/v1/") and not signed(path):
            keys = [p for p in operation.get("parameters", []) if p["name"] == "Idempotency-Key"]
            assert [key["required"] for key in keys] == [True], path


def test_every_staff_operation_needs_a_token_and_documents_its_problems(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        if path.startswith("/v1/") and not signed(path):
            assert operation["security"] == [{"bearerToken": []}], path
            shared = operation["responses"]["401"]["$ref"].removeprefix("#/components/responses/")
            assert "application/problem+json" in document["components"]["responses"][shared]["content"], path


def test_no_framework_error_shape_is_left(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in json.dumps(document)


def test_every_kind_of_problem_is_an_error_status() -> None:
    assert all(400 <= kind.status <= 503 for kind in KINDS.values())
