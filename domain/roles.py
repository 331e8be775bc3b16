"""Who may do what: roles as sets of permissions.

The API checks a permission, never a role, so that a role can change without touching a route. Four
eyes ("never the person who proposed it") is a rule about persons; `violates_four_eyes` states it
once for the API and for the workflows' update validators.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    """A function in the firm; one person may hold several."""

    QA = "qa"
    APPROVER = "approver"
    MEDICAL = "medical"
    REGULATORY = "regulatory"
    WAREHOUSE = "warehouse"
    SUPPLIER_QUALITY = "supplier_quality"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """One thing a person may do; the value appears in problem details and in the audit."""

    READ = "recall:read"
    START_RECALL = "recall:start"
    EDIT_INTAKE = "recall:edit_intake"
    CHANGE_SCOPE = "recall:change_scope"
    CANCEL_RECALL = "recall:cancel"
    UPLOAD_EVIDENCE = "evidence:upload"
    IMPORT_DATA = "import:run"
    RECORD_EVALUATION = "evaluation:record"
    DECIDE_ASSESSMENT = "assessment:decide"
    EDIT_STRATEGY = "strategy:edit"
    SIGN_STRATEGY_QUALITY = "strategy:sign_quality"
    SIGN_STRATEGY_REGULATORY = "strategy:sign_regulatory"
    PASS_GATE = "gate:pass"  # noqa: S105 (a gate, not a password)
    WAIVE_GATE = "gate:waive"
    DRAFT_NOTICE = "notice:draft"
    APPROVE_NOTICE = "notice:approve"
    CONFIRM_HOLD = "hold:confirm"
    RELEASE_HOLD = "hold:release"
    REPLY_ON_BEHALF = "reply:enter_on_behalf"
    WORK_TASKS = "task:work"
    REASSIGN_TASKS = "task:reassign"
    MANAGE_CAPA = "capa:manage"
    DECIDE_DISPOSITION = "disposition:decide"
    RECORD_AUTHORITY_ANSWER = "authority:record"
    COMPLETE_QUALITY = "recall:complete_quality"
    COMPLETE_REGULATORY = "recall:complete_regulatory"
    READ_AUDIT = "audit:read"
    MANAGE_TOKENS = "token:manage"
    MANAGE_POLICIES = "policy:manage"


_P = Permission
_STAFF = frozenset({_P.READ, _P.UPLOAD_EVIDENCE, _P.WORK_TASKS})

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.QA: _STAFF
        | {
            _P.START_RECALL,
            _P.EDIT_INTAKE,
            _P.CHANGE_SCOPE,
            _P.IMPORT_DATA,
            _P.EDIT_STRATEGY,
            _P.SIGN_STRATEGY_QUALITY,
            _P.DRAFT_NOTICE,
            _P.CONFIRM_HOLD,
            _P.REPLY_ON_BEHALF,
            _P.REASSIGN_TASKS,
            _P.MANAGE_CAPA,
            _P.COMPLETE_QUALITY,
            _P.READ_AUDIT,
        },
        Role.APPROVER: _STAFF
        | {
            _P.DECIDE_ASSESSMENT,
            _P.CANCEL_RECALL,
            _P.WAIVE_GATE,
            _P.APPROVE_NOTICE,
            _P.RELEASE_HOLD,
            _P.DECIDE_DISPOSITION,
            _P.REASSIGN_TASKS,
            _P.READ_AUDIT,
        },
        Role.MEDICAL: _STAFF | {_P.RECORD_EVALUATION},
        Role.REGULATORY: _STAFF
        | {
            _P.EDIT_STRATEGY,
            _P.SIGN_STRATEGY_REGULATORY,
            _P.PASS_GATE,
            _P.WAIVE_GATE,
            _P.DRAFT_NOTICE,
            _P.RECORD_AUTHORITY_ANSWER,
            _P.COMPLETE_REGULATORY,
            _P.READ_AUDIT,
        },
        Role.WAREHOUSE: _STAFF | {_P.CONFIRM_HOLD},
        Role.SUPPLIER_QUALITY: _STAFF | {_P.MANAGE_CAPA},
        # Read-only by design §1: an auditor changes nothing, not even a task.
        Role.AUDITOR: frozenset({_P.READ, _P.READ_AUDIT}),
        # Runs the installation and decides nothing about a recall.
        Role.ADMIN: frozenset({_P.READ, _P.READ_AUDIT, _P.MANAGE_TOKENS, _P.MANAGE_POLICIES, _P.IMPORT_DATA}),
    }
)
"""What each role may do; a permission listed for no role would be unreachable (tested)."""


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Everything a holder of `roles` may do."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


def may(roles: Iterable[Role], permission: Permission) -> bool:
    """Whether a holder of `roles` has `permission`."""
    return any(permission in PERMISSIONS[role] for role in roles)


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """The roles that hold `permission`, for the text "needs one of ..." and for assigning a task."""
    return tuple(role for role in Role if permission in PERMISSIONS[role])


def violates_four_eyes(proposer: str, decider: str) -> bool:
    """Whether proposer and decider are the same person (compared without case and outer spaces).

    An empty name on either side counts as a violation: an unknown person proves nothing.
    """
    left, right = proposer.strip().casefold(), decider.strip().casefold()
    return not left or not right or left == right
