# SPDX-License-Identifier: GPL-3.0-or-later
"""What the models of this module share: refusals in words, labels of documents, names found on record."""

from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.transaction import Transaction

OURS = "_recall_hold"
"""Context of what a recall itself moves. No client can set it: names with an underscore are dropped from calls."""
LABELS = {
    "stock.shipment.out": "shipment.out",
    "stock.shipment.internal": "shipment.internal",
    "stock.shipment.in": "shipment.in",
    "stock.shipment.out.return": "shipment.out.return",
    "stock.shipment.in.return": "shipment.in.return",
    "production": "production",
    "sale.sale": "sale",
    "purchase.purchase": "purchase",
    "stock.inventory": "inventory",
}
MODELS = {label: model for model, label in LABELS.items()}


class RecallError(UserError):
    """What a hold, a blocked document or a caller's mistake does not allow."""


def refuse(text):
    """Raise `RecallError` with this text."""
    raise RecallError(gettext("recall_hold.msg_text", text=text))


def acting():
    """The context in which a recall's own moves pass the locks, without the rights of single buttons."""
    return Transaction().set_context(**{OURS: True, "_check_access": False, "with_childs": False, "active_test": False})


def check_user():
    """Only members of the group Recall may act."""
    pool = Pool()
    group = pool.get("ir.model.data").get_id("recall_hold", "group_recall")
    if group not in pool.get("res.user").get_groups():
        refuse('the user is not in the group "Recall"')


def label(record):
    """How a document is named towards the recall: its kind and number, `sale/12`; without a number `sale/#5`."""
    number = getattr(record, "number", None)
    return f"{LABELS[record.__name__]}/{number or f'#{record.id}'}"


def find_document(text):
    """The company's document with this label; None when there is none."""
    kind, _, number = text.partition("/")
    if kind not in MODELS or not number:
        return None
    pool = Pool()
    try:
        model = pool.get(MODELS[kind])
    except KeyError:
        return None
    number_id = number[1:] if number.startswith("#") else None
    domain = [("id", "=", int(number_id))] if number_id and number_id.isdigit() else [("number", "=", number)]
    found = model.search([*domain, ("company", "=", company_id())], limit=2)
    if len(found) > 1:
        refuse(f'several documents are called "{text}"; exactly one was expected')
    return found[0] if found else None


def find_lot(product, number):
    """The one lot with this number of the product with this code."""
    lots = Pool().get("stock.lot").search([("number", "=", number), ("product.code", "=", product)])
    if len(lots) != 1:
        refuse(f'product "{product}" has {len(lots) or "no"} lots with the number "{number}"; exactly one was expected')
    return lots[0]


def find_place(code):
    """The one location with this code that stock can lie under."""
    places = (
        Pool().get("stock.location").search([("code", "=", code), ("type", "in", ["storage", "view", "warehouse"])])
    )
    if len(places) != 1:
        refuse(f'{len(places) or "no"} locations have the code "{code}"; exactly one was expected')
    return places[0]


def path(location):
    """Codes of a location and of those above it, nearest first; without a code they are left out."""
    codes = []
    while location is not None:
        if location.code:
            codes.append(location.code)
        location = location.parent
    return codes


def company_id():
    """The company that the caller's user works for."""
    company = Transaction().context.get("company")
    if not company:
        user = Pool().get("res.user")(Transaction().user)
        company = user.company.id if user.company else None
    return company or refuse("the user has no company")


class KeptMixin:
    """Records of a recall are made, changed and never deleted by the calls of this module only."""

    __slots__ = ()

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        """Refuse everybody else, administrators included."""
        super().check_modification(mode, records, values=values, external=external)
        if mode == "delete" or not Transaction().context.get(OURS):
            refuse("this record belongs to a recall; only a release ends it")
