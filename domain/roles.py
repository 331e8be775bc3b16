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
    ACCOUNT_MANAGER = "account_manager"
    """Looks after customers; asked where messages and calls to a consignee did not help."""
    AUDITOR = "auditor"
    FINANCE = "finance"
    """Books costs, keeps the account mapping, closes journals; decides nothing about goods."""
    ADMIN = "admin"
    HEAD_OF_QUALITY = "head_of_quality"
    HEAD_OF_REGULATORY = "head_of_regulatory"
    HEAD_OF_SUPPLY = "head_of_supply"


HEADS: Final[Mapping[Role, Role]] = MappingProxyType(
    {
        Role.QA: Role.HEAD_OF_QUALITY,
        Role.APPROVER: Role.HEAD_OF_QUALITY,
        Role.MEDICAL: Role.HEAD_OF_QUALITY,
        Role.SUPPLIER_QUALITY: Role.HEAD_OF_QUALITY,
        Role.ACCOUNT_MANAGER: Role.HEAD_OF_QUALITY,
        Role.REGULATORY: Role.HEAD_OF_REGULATORY,
        Role.WAREHOUSE: Role.HEAD_OF_SUPPLY,
        Role.HEAD_OF_QUALITY: Role.HEAD_OF_QUALITY,
        Role.HEAD_OF_REGULATORY: Role.HEAD_OF_REGULATORY,
        Role.HEAD_OF_SUPPLY: Role.HEAD_OF_SUPPLY,
    }
)
"""Function -> head of the function, to whom a task climbs in the end; heads are their own.

Auditor, finance and admin have no tasks."""


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
    DECIDE_MARKET_ACTION = "market_action:decide"
    REVIEW_NOT_REPORTED = "market_action:review"
    """Designated person of 21 CFR 806.20(b)(4)."""
    ASK_EXPERT = "expert:ask"
    EDIT_STRATEGY = "strategy:edit"
    SIGN_STRATEGY_QUALITY = "strategy:sign_quality"
    SIGN_STRATEGY_REGULATORY = "strategy:sign_regulatory"
    PASS_GATE = "gate:pass"  # noqa: S105 (a gate, not a password)
    WAIVE_GATE = "gate:waive"
    DRAFT_NOTICE = "notice:draft"
    APPROVE_NOTICE = "notice:approve"
    REVIEW_NOTICE = "notice:review"
    """Confirm passages of a notice that rules cannot judge."""
    PAUSE_CAMPAIGN = "campaign:pause"
    ABORT_CAMPAIGN = "campaign:abort"
    """Leave consignees untold by a notice: signed, and never by who paused it."""
    CONFIRM_HOLD = "hold:confirm"
    RELEASE_HOLD = "hold:release"
    DECIDE_DOCUMENTS = "goods_document:decide"
    """Let goods documents that a recall stops go on, or cancel them."""
    REPLY_ON_BEHALF = "reply:enter_on_behalf"
    WORK_TASKS = "task:work"
    REASSIGN_TASKS = "task:reassign"
    CO_SIGN = "approval:co_sign"
    """Sign where a policy asks for one's function beside those that decide; the workflow says which."""
    MANAGE_CAPA = "capa:manage"
    RECORD_NONCONFORMITY = "nonconformity:record"
    SIGN_CONCESSION = "nonconformity:sign_use"
    """Second signature under the use of product that does not conform."""
    DECIDE_DISPOSITION = "disposition:decide"
    RECORD_AUTHORITY_ANSWER = "authority:record"
    COMPLETE_QUALITY = "recall:complete_quality"
    COMPLETE_REGULATORY = "recall:complete_regulatory"
    READ_AUDIT = "audit:read"
    MANAGE_TOKENS = "token:manage"
    MANAGE_POLICIES = "policy:manage"
    AUTHOR_POLICY = "policy:author"
    REVIEW_POLICY = "policy:review"
    APPROVE_POLICY = "policy:approve"
    MOVE_POLICIES = "recall:move_policies"
    MANAGE_STAFF = "staff:manage"
    MANAGE_KEEPERS = "keeper:manage"
    """Enter who keeps stock outside our own ledger, and which places."""
    CONTACT_CONSIGNEE = "consignee:contact"
    CHECK_EFFECTIVENESS = "effectiveness:check"
    PROPOSE_DISPOSITION = "disposition:propose"
    EXECUTE_DISPOSITION = "disposition:execute"
    RECORD_INSPECTION = "inspection:record"
    """Say whether a lot passed what the release gate asks for."""
    BOOK_COST = "cost:book"
    MANAGE_ACCOUNT = "account:manage"
    """Lock, reopen and settle the provisional account of a recall."""
    MANAGE_MAPPING = "account_mapping:manage"
    """Propose rows of the account mapping, state exchange rates."""
    APPROVE_MAPPING = "account_mapping:approve"
    CLOSE_JOURNAL = "journal:close"
    APPROVE_ALLOCATION = "allocation:approve"
    SUBMIT_OBLIGATION = "obligation:submit"
    APPROVE_CAPA = "capa:approve"
    SIGN_UNACCOUNTED = "unaccounted:sign"
    EXPORT_DOSSIER = "dossier:export"
    PLACE_LEGAL_HOLD = "retention:legal_hold"
    REQUEST_DELETION = "retention:request_deletion"
    APPROVE_DELETION = "retention:approve_deletion"
    RECORD_TRAINING = "training:record"
    UNLOCK_SIGNING = "signing:unlock"


_P = Permission
_STAFF = frozenset({_P.READ, _P.UPLOAD_EVIDENCE, _P.WORK_TASKS, _P.CO_SIGN, _P.RECORD_NONCONFORMITY})

_QA = _STAFF | {
    _P.START_RECALL,
    _P.EDIT_INTAKE,
    _P.CHANGE_SCOPE,
    _P.ASK_EXPERT,
    _P.IMPORT_DATA,
    _P.EDIT_STRATEGY,
    _P.SIGN_STRATEGY_QUALITY,
    _P.AUTHOR_POLICY,
    _P.REVIEW_POLICY,
    _P.DRAFT_NOTICE,
    _P.PAUSE_CAMPAIGN,
    _P.CONFIRM_HOLD,
    _P.REPLY_ON_BEHALF,
    _P.CONTACT_CONSIGNEE,
    _P.CHECK_EFFECTIVENESS,
    _P.REASSIGN_TASKS,
    _P.MANAGE_CAPA,
    _P.PROPOSE_DISPOSITION,
    _P.EXECUTE_DISPOSITION,
    _P.RECORD_INSPECTION,
    _P.BOOK_COST,
    _P.COMPLETE_QUALITY,
    _P.READ_AUDIT,
    _P.EXPORT_DOSSIER,
    _P.REQUEST_DELETION,
}
_APPROVER = _STAFF | {
    _P.DECIDE_ASSESSMENT,
    _P.REVIEW_NOT_REPORTED,
    _P.ASK_EXPERT,
    _P.MOVE_POLICIES,
    _P.CANCEL_RECALL,
    _P.WAIVE_GATE,
    _P.APPROVE_NOTICE,
    _P.REVIEW_NOTICE,
    _P.PAUSE_CAMPAIGN,
    _P.ABORT_CAMPAIGN,
    _P.RELEASE_HOLD,
    _P.DECIDE_DOCUMENTS,
    _P.DECIDE_DISPOSITION,
    _P.APPROVE_CAPA,
    _P.APPROVE_ALLOCATION,
    _P.BOOK_COST,
    _P.MANAGE_ACCOUNT,
    _P.REASSIGN_TASKS,
    _P.READ_AUDIT,
}
_REGULATORY = _STAFF | {
    _P.DECIDE_MARKET_ACTION,
    _P.ASK_EXPERT,
    _P.EDIT_STRATEGY,
    _P.SIGN_STRATEGY_REGULATORY,
    _P.AUTHOR_POLICY,
    _P.REVIEW_POLICY,
    _P.PASS_GATE,
    _P.WAIVE_GATE,
    _P.DRAFT_NOTICE,
    _P.REVIEW_NOTICE,
    _P.PAUSE_CAMPAIGN,
    _P.REPLY_ON_BEHALF,
    _P.CONTACT_CONSIGNEE,
    _P.CHECK_EFFECTIVENESS,
    _P.SUBMIT_OBLIGATION,
    _P.RECORD_AUTHORITY_ANSWER,
    _P.COMPLETE_REGULATORY,
    _P.READ_AUDIT,
    _P.EXPORT_DOSSIER,
    _P.PLACE_LEGAL_HOLD,
}
_WAREHOUSE = _STAFF | {_P.CONFIRM_HOLD, _P.PROPOSE_DISPOSITION, _P.EXECUTE_DISPOSITION, _P.BOOK_COST}
_SUPPLIER_QUALITY = _STAFF | {_P.MANAGE_CAPA, _P.PROPOSE_DISPOSITION, _P.RECORD_INSPECTION}
_ACCOUNT_MANAGER = _STAFF | {_P.REPLY_ON_BEHALF, _P.CONTACT_CONSIGNEE}
_HEAD = frozenset({_P.REASSIGN_TASKS, _P.MANAGE_STAFF, _P.RECORD_TRAINING, _P.READ_AUDIT})
_POLICY_HEAD = frozenset({_P.APPROVE_POLICY, _P.MANAGE_POLICIES})

PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.QA: _QA,
        Role.APPROVER: _APPROVER,
        Role.MEDICAL: _STAFF | {_P.RECORD_EVALUATION, _P.ASK_EXPERT, _P.REVIEW_NOTICE},
        Role.REGULATORY: _REGULATORY,
        Role.WAREHOUSE: _WAREHOUSE,
        Role.SUPPLIER_QUALITY: _SUPPLIER_QUALITY,
        Role.ACCOUNT_MANAGER: _ACCOUNT_MANAGER,
        Role.FINANCE: frozenset(
            {_P.READ, _P.UPLOAD_EVIDENCE, _P.READ_AUDIT, _P.BOOK_COST}
            | {_P.MANAGE_ACCOUNT, _P.MANAGE_MAPPING, _P.APPROVE_MAPPING, _P.CLOSE_JOURNAL}
        ),
        # Read-only by design §1: an auditor changes nothing, not even a task.
        Role.AUDITOR: frozenset({_P.READ, _P.READ_AUDIT, _P.EXPORT_DOSSIER}),
        # Runs the installation and decides nothing about a recall.
        Role.ADMIN: frozenset(
            {_P.READ, _P.READ_AUDIT, _P.MANAGE_TOKENS, _P.MANAGE_POLICIES, _P.MANAGE_STAFF, _P.IMPORT_DATA}
            | {_P.RECORD_TRAINING, _P.UNLOCK_SIGNING, _P.MANAGE_KEEPERS}
        ),
        # A head may do what the functions below may; four eyes is about persons and holds for heads as well. Only the
        # hazard evaluation stays with a medical assessor (21 CFR 7.41): a head finds another one, by reassigning.
        Role.HEAD_OF_QUALITY: _HEAD
        | _POLICY_HEAD
        | _QA
        | _APPROVER
        | _SUPPLIER_QUALITY
        | {_P.SIGN_UNACCOUNTED, _P.SIGN_CONCESSION, _P.PLACE_LEGAL_HOLD, _P.APPROVE_DELETION, _P.APPROVE_MAPPING},
        Role.HEAD_OF_REGULATORY: _HEAD | _POLICY_HEAD | _REGULATORY | {_P.REVIEW_NOT_REPORTED},
        Role.HEAD_OF_SUPPLY: _HEAD
        | _WAREHOUSE
        | {_P.APPROVE_ALLOCATION, _P.MANAGE_ACCOUNT, _P.MANAGE_MAPPING, _P.CLOSE_JOURNAL, _P.DECIDE_DOCUMENTS},
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


def acting_role(roles: Iterable[str], *permissions: Permission) -> Role:
    """The function in which a holder of `roles` acts: the first that has one of `permissions`, in that order.

    Raises:
        ValueError: none of the roles has any; whoever checked the permission before checked something else.
    """
    held = [Role(role) for role in roles if role in set(Role)]
    for permission in permissions:
        for role in held:
            if permission in PERMISSIONS[role]:
                return role
    raise ValueError(f"expected a role with {' or '.join(permissions)}, got {', '.join(held) or 'none'}")


def violates_four_eyes(proposer: str, decider: str) -> bool:
    """Whether proposer and decider are the same person (compared without case and outer spaces).

    An empty name on either side counts as a violation: an unknown person proves nothing.
    """
    left, right = proposer.strip().casefold(), decider.strip().casefold()
    return not left or not right or left == right
