"""Naming a level: a person may say which of a jurisdiction's own levels is meant, if it covers the class decided on."""

from domain.levels import RecallClass
from domain.policy import Policy


def level_fault(policy: Policy, recall_class: RecallClass, level: str) -> str | None:
    """What is wrong with a level named for a class; None when it fits."""
    fitting = [code for code, rules in policy.levels.items() if recall_class in rules.classes]
    if level in fitting:
        return None
    known = ", ".join(fitting) or "none"
    return f"level {level} of {policy.id} does not cover class {recall_class.value}; expected one of {known}"


__all__ = ["level_fault"]
