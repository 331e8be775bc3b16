"""CAPA records as the API shows them."""

from datetime import datetime

from api.quality_views import code_out
from db.repositories.capa_read import WholeCapa
from models.capa import Capa, CapaAction
from models.schemas_capa import CapaActionOut, CapaItem, CapaOut, CapaStatementOut, CriterionOut


def capa_item(capa: Capa) -> CapaItem:
    """A CAPA in a list."""
    return CapaItem(
        **capa.model_dump(include=set(CapaItem.model_fields)),
        cause_recorded=capa.cause_at is not None,
        plan_approved=capa.plan_approved_at is not None,
    )


def capa_out(found: WholeCapa, now: datetime) -> CapaOut:
    """A CAPA with everything about it."""
    capa = found.capa
    own = set(CapaOut.model_fields) - {"criterion", "actions", "statements", "evidence_ids", "effective", "codes"}
    return CapaOut(
        **capa.model_dump(include=own),
        effective=capa.effective,
        cause_recorded=capa.cause_at is not None,
        plan_approved=capa.plan_approved_at is not None,
        codes=[code_out(each) for each in found.codes],
        **found.ties,
        criterion=_criterion(capa),
        actions=[_action(each, found, now) for each in found.actions],
        evidence_ids={part: ids for part, ids in found.evidence.items() if not part.startswith("action:")},
        statements=[CapaStatementOut.model_validate(each, from_attributes=True) for each in found.statements],
    )


def _criterion(capa: Capa) -> CriterionOut | None:
    if capa.criterion is None or capa.criterion_target is None:
        return None
    return CriterionOut(
        what=capa.criterion,
        comparison=capa.criterion_comparison or "",
        target=capa.criterion_target,
        unit=capa.criterion_unit or "",
        verify_after_days=capa.verify_after_days or 0,
    )


def _action(action: CapaAction, found: WholeCapa, now: datetime) -> CapaActionOut:
    return CapaActionOut(
        **action.model_dump(include=set(CapaActionOut.model_fields)),
        evidence_ids=found.evidence.get(f"action:{action.sequence}", []),
        overdue=action.done_at is None and action.withdrawn_at is None and action.due_at < now,
    )


__all__ = ["capa_item", "capa_out"]
