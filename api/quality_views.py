"""Nonconformities and codes as the API shows them."""

from db.repositories.nonconformity_read import WholeNonconformity
from domain.nonconformity import LotDecision, NcDisposition, NcState, open_points
from models.quality import CodeTerm, Nonconformity, QualityFile
from models.schemas_nonconformities import CodeOut, NcItem, NcLinkOut, NcLotOut, NcOut


def code_out(row: CodeTerm) -> CodeOut:
    """One term."""
    return CodeOut(**row.model_dump(include=set(CodeOut.model_fields)))


def nc_item(row: Nonconformity, file: QualityFile) -> NcItem:
    """A nonconformity in a list."""
    facts = row.model_dump(include=set(NcItem.model_fields))
    return NcItem(**facts, title=file.title, drill=file.drill)


def nc_out(found: WholeNonconformity) -> NcOut:
    """A nonconformity with everything about it."""
    facts = found.row.model_dump(include=set(NcOut.model_fields))
    lots = [NcLotOut(**{name: each[name] for name in NcLotOut.model_fields}) for each in found.lots]
    return NcOut(
        **facts,
        title=found.file.title,
        drill=found.file.drill,
        product_code=found.product_code,
        site_code=found.site_code,
        supplier_code=found.supplier_code,
        codes=[code_out(each) for each in found.codes],
        lots=lots,
        recalls=[NcLinkOut.model_validate(each, from_attributes=True) for each in found.links],
        evidence_ids={part: list(ids) for part, ids in found.evidence.items()},
        open=[] if found.row.state == NcState.CLOSED else _open(found, lots),
    )


def _open(found: WholeNonconformity, lots: list[NcLotOut]) -> list[str]:
    decided = [
        LotDecision(
            each.number,
            NcDisposition(each.disposition) if each.disposition else None,
            each.decided_by,
            each.second_by,
            each.held > 0,
        )
        for each in lots
        if each.taken_back_at is None
    ]
    first = ["it is not investigated"] if found.row.state == NcState.OPEN else []
    return first + open_points(decided)


__all__ = ["code_out", "nc_item", "nc_out"]
