"""When a hospital has to follow up its patients: it used affected product, and the harm can reach a patient later.

Counts only ever leave the hospital: exposed, contacted, monitored, replaced (design §2a).
"""

from decimal import Decimal


def follow_up_needed(
    *, kind: str, used: Decimal, implantable_used: bool, recall_class: str | None, depth: str | None
) -> bool:
    """Whether a consignee owes patient counts.

    Args:
        kind: the partner's kind; only a hospital has patients.
        used: units it states as used or implanted, over all affected lots.
        implantable_used: whether one of the lots it used is of an implantable product.
        recall_class: strictest approved class (I, II, III).
        depth: depth of the signed strategy (21 CFR 7.42(b)(1)).
    """
    if kind != "hospital" or used <= 0:
        return False
    return implantable_used or recall_class == "I" or depth == "patient"
