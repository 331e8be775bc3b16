"""The contract as a judge: does a request or an answer say what `docs/inventory-api.yaml` says?"""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

FILE = Path(__file__).parents[2] / "docs" / "inventory-api.yaml"


class Contract:
    """Validators of every operation, made once."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))

    @cache  # noqa: B019 - one contract per process
    def _validator(self, reference: str) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator({"$ref": reference, "components": self.document["components"]})

    def faults_of_request(self, method: str, path: str, headers: dict[str, str], body: Any) -> list[str]:
        """What is wrong with a request; empty: nothing."""
        operation = self.document["paths"].get(path, {}).get(method.lower())
        if operation is None:
            return [f"{method} {path}: no operation of the contract"]
        faults = []
        wants_key = any("IdempotencyKey" in each.get("$ref", "") for each in operation.get("parameters", []))
        if wants_key and not 8 <= len(headers.get("Idempotency-Key", "")) <= 200:
            faults.append(f"{path}: no Idempotency-Key")
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            faults += [f"{path}: {error.message}" for error in self._validator(reference).iter_errors(body)]
        return faults

    def faults_of_answer(self, method: str, path: str, status: int, content_type: str, body: Any) -> list[str]:
        """What is wrong with an answer; empty: nothing."""
        answers = self.document["paths"][path][method.lower()]["responses"]
        answer = answers.get(str(status))
        if answer is None or status >= 400:
            expected, reference = "application/problem+json", "#/components/schemas/Problem"
        else:
            expected = "application/json"
            reference = answer["content"][expected]["schema"]["$ref"]
        faults = [] if content_type == expected else [f"{path}: {content_type} instead of {expected}"]
        return faults + [f"{path}: {error.message}" for error in self._validator(reference).iter_errors(body)]


CONTRACT = Contract()
