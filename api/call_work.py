"""The entries of a call list: script, contacts and last attempts beside each call, read once for a whole page.

Personal data (names, telephone numbers, addresses) leave the record in these answers only.
"""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from api.call_scripts import Firm, script_of
from api.security.bearer import Principal
from api.state import ApiState
from db.repositories import call_list, notices
from db.repositories.call_list import CallRow
from models.recall import Recall
from models.schemas_chasing import CallAttemptOut, CallContactOut, CallOut, ScriptOut


async def entries(
    session: AsyncSession, state: ApiState, recall: Recall, caller: Principal, rows: Sequence[CallRow]
) -> list[CallOut]:
    """What the caller needs for each call, in the order of `rows`."""
    products = await products_of(session, recall)
    firm = Firm(caller=caller.name, name=state.settings.company_name, phone=state.settings.company_phone)
    contacts = await call_list.contacts_of(session, [row.partner_id for row in rows])
    attempts = await call_list.last_attempts(session, [row.consignee_id for row in rows])
    return [
        CallOut(
            task_id=row.task_id,
            kind=call_list.CallKind(row.kind).value,
            consignee_id=row.consignee_id,
            consignee_code=row.partner_code,
            consignee=row.partner_name,
            country=row.country,
            region=row.region,
            time_zone=row.time_zone,
            stage=row.stage,
            owed_since=row.owed_since,
            reason=row.reason,
            units=row.units,
            score=row.score,
            due_at=row.due_at,
            assignee=row.assignee,
            script=ScriptOut.model_validate(script_of(row, recall, products, firm), from_attributes=True),
            contacts=[
                CallContactOut.model_validate(each, from_attributes=True) for each in contacts.get(row.partner_id, ())
            ],
            attempts=[
                CallAttemptOut.model_validate(each, from_attributes=True) for each in attempts.get(row.consignee_id, ())
            ],
        )
        for row in rows
    ]


async def products_of(session: AsyncSession, recall: Recall) -> str:
    """What is recalled, in a few words: the names of the products that reached consignees."""
    found = await notices.affected_products(session, recall.number)
    names = list(dict.fromkeys(each[0].name for each in found))
    return ", ".join(names[:3]) + (f" (+{len(names) - 3})" if len(names) > 3 else "") if names else recall.title


__all__ = ["entries", "products_of"]
