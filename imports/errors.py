"""The two ways an import can go wrong: the whole file is refused, or one field of one row is."""

from dataclasses import dataclass


class ImportRefusedError(Exception):
    """Nothing was loaded; the message is one line that says where and why."""


@dataclass(frozen=True)
class Finding:
    """One field of one row that cannot be taken: what was expected, in words for the sender."""

    field: str
    value: str
    reason: str


class FieldError(ValueError):
    """A value cannot be converted; carries the findings of one field, or of the fields of one master record."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(f"{finding.field}: {finding.reason}" for finding in findings))
        self.findings = findings


def joined(findings: list[Finding]) -> tuple[str, str, str]:
    """All findings of a row as the field, value and reason columns of the reject file."""
    if len(findings) == 1:
        only = findings[0]
        return only.field, only.value, only.reason
    return (
        " | ".join(finding.field for finding in findings),
        " | ".join(finding.value for finding in findings),
        " | ".join(f"{finding.field}: {finding.reason}" for finding in findings),
    )
