# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents that a recall has stopped: none of their goods is assigned, moved, received or shipped."""

from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.pool import Pool
from trytond.rpc import RPC

from . import tools
from .indexed import IndexedMixin


class Block(tools.KeptMixin, IndexedMixin, ModelSQL, ModelView):
    """One recall's stop of one document."""

    __name__ = "recall.block"
    _rec_name = "key"
    key = fields.Char("Key", required=True, readonly=True)
    claimant = fields.Char("Recall", required=True, readonly=True)
    document = fields.Reference("Document", selection="documents", required=True, readonly=True)
    cancelling = fields.Boolean("Cancelled", readonly=True)
    state = fields.Selection([("open", "Open"), ("ended", "Ended")], "State", required=True, readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [("key_unique", Unique(table, table.key), "recall_hold.msg_key_unique")]
        cls._order = [("id", "DESC")]
        write = RPC(readonly=False)
        cls.__rpc__.update({"put": write, "lift": write})

    @classmethod
    def documents(cls):
        """Models a block may name."""
        found = {model.__name__: model for _, model in Pool().iterobject(type="model")}
        get_name = Pool().get("ir.model").get_name
        return [(name, get_name(name)) for name in tools.LABELS if name in found]

    @classmethod
    def blocked(cls, references):
        """Of these references those that are blocked, with their labels."""
        if not references:
            return {}
        with tools.acting():
            blocks = cls.search([("document", "in", sorted(references)), ("state", "=", "open")])
            return {str(each.document): tools.label(each.document) for each in blocks}

    @classmethod
    def put(cls, key, claimant, document, cancel=False):
        """Block, or cancel where Tryton still can; the answer says how the document stands."""
        tools.check_user()
        with tools.acting():
            found = tools.find_document(document)
            if found is None:
                tools.refuse(f'there is no document "{document}"')
            type(found).lock([found])
            blocks = cls.search([("key", "=", key)])
            if blocks and blocks[0].document != found:
                tools.refuse(f"block {key} belongs to another document")
            if blocks and blocks[0].state == "ended":
                tools.refuse(f"block {key} was lifted")
            if not blocks:
                if found.state in {"done", "cancelled"}:
                    return cls._answer(found, None)
                values = {"key": key, "claimant": claimant, "document": str(found), "state": "open"}
                blocks = cls.create([values])
            if cancel and not blocks[0].cancelling:
                blocks[0].cancelling = True
                blocks[0].save()
                _cancel(found)
                found = type(found)(found.id)
            return cls._answer(found, blocks[0].id)

    @classmethod
    def lift(cls, key):
        """End exactly this block; None when there is none."""
        tools.check_user()
        with tools.acting():
            blocks = cls.search([("key", "=", key)])
            if not blocks:
                return None
            (block,) = blocks
            if block.state == "open":
                block.state = "ended"
                block.save()
            return cls._answer(block.document, block.id)

    @classmethod
    def _answer(cls, document, reference):
        state = document.state
        if state not in {"done", "cancelled"}:
            state = "blocked" if cls.blocked({str(document)}) else "open"
        return {"number": tools.label(document), "state": state, "reference": reference}


def _cancel(document):
    """As far as Tryton's own steps allow; an order in process stays, blocked."""
    model = type(document)
    if document.__name__ in {"sale.sale", "purchase.purchase"} and document.state == "confirmed":
        model.draft([document])
    transitions = {source for source, target in model._transitions if target == "cancelled"} - {"done", "running"}
    if model(document.id).state in transitions:
        model.cancel([model(document.id)])
