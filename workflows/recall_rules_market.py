"""What must be true of market actions: decided before the hazard is evaluated, justified where nothing is reported.

The action says under which duties the rest of the recall runs. An action that is no recall in law owes the record of
21 CFR 806.20, and nobody approves a class on it before a designated person has accepted that record.
"""

from collections.abc import Sequence

from domain.levels import MarketAction, needs_justification
from domain.phases import Phase
from domain.roles import Permission
from models.messages import RecordEvaluation, RecordMarketActions, ReviewMarketAction, market_key
from workflows.recall_state import RecallState
from workflows.rules import other_person, permit, refuse

ACCEPTED = "accepted"
UNREVIEWED = "unreviewed"
_DECIDABLE = (Phase.ASSESSMENT, Phase.STRATEGY, Phase.GATES, Phase.NOTIFICATION, Phase.RESOLUTION)


def _in_phase(state: RecallState) -> None:
    if state.ended:
        refuse("RecallClosed", f"the recall is {state.phase}; nothing more can be decided")
    if state.phase not in _DECIDABLE:
        refuse(
            "WrongPhase", f"the recall is in phase {state.phase}, market actions belong to {' or '.join(_DECIDABLE)}"
        )


def _known(state: RecallState, jurisdictions: Sequence[str], line: str, jurisdiction: str) -> None:
    if line not in state.lines():
        refuse("UnknownProductLine", f"product line {line!r} is not in scope; it has {list(state.lines())}")
    if jurisdiction not in jurisdictions:
        refuse("InvalidInput", f"{jurisdiction} is no jurisdiction of this recall")


def check_market_actions(state: RecallState, jurisdictions: Sequence[str], decision: RecordMarketActions) -> None:
    """Regulatory affairs decides once per line and market; what is not reported owes its justification at once."""
    permit(decision.actor, Permission.DECIDE_MARKET_ACTION)
    _in_phase(state)
    keys = [each.key for each in decision.actions]
    for index, each in enumerate(decision.actions):
        _known(state, jurisdictions, each.product_line, each.jurisdiction)
        if each.key in keys[:index]:
            refuse("InvalidInput", f"{each.product_line} under {each.jurisdiction} is named twice")
        if (each.justification is None) != (each.conclusions is None):
            refuse("InvalidInput", "a justification for not reporting needs its conclusions, and the other way round")
        if needs_justification(MarketAction(each.action)) and each.justification is None:
            refuse(
                "JustificationMissing",
                f"{each.action} for {each.product_line} under {each.jurisdiction} is not reported: justification and "
                "conclusions are owed (21 CFR 806.20(b)(4))",
            )


def check_action_review(state: RecallState, decision: ReviewMarketAction) -> None:
    """A designated person, never the one who wrote it, reviews the justification in force."""
    permit(decision.actor, Permission.REVIEW_NOT_REPORTED)
    _in_phase(state)
    key = market_key(decision.product_line, decision.jurisdiction)
    if key not in state.justified:
        refuse("InvalidInput", f"{decision.product_line} under {decision.jurisdiction} has no justification to review")
    if state.justified[key] != UNREVIEWED:
        refuse("AlreadyDecided", f"the justification is already {state.justified[key].replace('_', ' ')}")
    other_person(decision.actor, state.justified_by[key], "wrote the justification")


def check_actions_known(state: RecallState, jurisdictions: Sequence[str], decision: RecordEvaluation) -> None:
    """Every market of the line has its action before the hazard is evaluated, or the assessor signs it with the form.

    Only an action that is a recall in law can come with the form: any other owes a record of its own.
    """
    for jurisdiction, action in decision.market_actions.items():
        known = state.market_actions.get(market_key(decision.product_line, jurisdiction))
        if jurisdiction not in jurisdictions:
            refuse("InvalidInput", f"{jurisdiction} is no jurisdiction of this recall")
        if known is not None and known != action:
            refuse(
                "InvalidInput", f"the market action under {jurisdiction} is decided as {known}; decide it anew first"
            )
        if known is None and needs_justification(MarketAction(action)):
            refuse("JustificationMissing", f"{action} is not reported: record it with its justification first")
    missing = [
        each
        for each in jurisdictions
        if each not in decision.market_actions and market_key(decision.product_line, each) not in state.market_actions
    ]
    if missing:
        refuse(
            "MarketActionMissing",
            f"no market action is decided for {decision.product_line} under {', '.join(missing)}; it comes first",
        )


def check_justified(state: RecallState) -> None:
    """No class is approved on an action that is not reported before its justification is accepted."""
    for each in state.proposal.classes if state.proposal else ():
        key = market_key(each.product_line, each.jurisdiction)
        action = state.market_actions.get(key)
        if action is None or not needs_justification(MarketAction(action)):
            continue
        if state.justified.get(key) != ACCEPTED:
            refuse(
                "ReviewMissing",
                f"the justification of {action} for {each.product_line} under {each.jurisdiction} is "
                f"{state.justified.get(key, 'missing').replace('_', ' ')}; a designated person accepts it first",
            )


__all__ = [
    "ACCEPTED",
    "UNREVIEWED",
    "check_action_review",
    "check_actions_known",
    "check_justified",
    "check_market_actions",
]
