"""Makes a Tryton database with one company, its warehouses and goods. Run as a program: trytond stays out of pytest.

python tryton_database.py CONFIG DATABASE plain|filled
"""

import os
import sys

PLAIN = ["stock_lot", "sale", "purchase", "production"]


def activate(config: str, name: str, modules: list[str]) -> None:
    """Activate modules and give the administrator a password."""
    from trytond import commandline
    from trytond import config as configuration

    options = commandline.get_parser_admin().parse_args(
        ["-c", config, "-d", name, "-u", *modules, "--activate-dependencies", "-p"]
    )
    options.indexes, options.administrator, options.email = False, True, ""
    configuration.update_etc(options.configfile)
    from trytond import admin  # reads the configuration when it is imported

    if modules == PLAIN:
        _trust_what_tryton_ships()
    admin.run(options)


def _trust_what_tryton_ships() -> None:
    """Its own records are not checked one by one: that takes half of the time."""
    from trytond.model import ModelStorage

    ModelStorage._validate = classmethod(lambda cls, records, field_names=None: None)


def fill(config: str, name: str) -> None:
    """The company and its sister, a second warehouse, codes, the recall's user, a customer and a supplier."""
    from proteus import Model
    from proteus import config as proteus_config
    from trytond.modules.company.tests.tools import create_company

    proteus_config.set_trytond(f"sqlite:///{name}", config_file=config)
    create_company()
    (company,) = Model.get("company.company").find()
    user = Model.get("res.user")
    location = Model.get("stock.location")
    (first,) = location.find([("type", "=", "warehouse")])
    first.code = "WH1"
    first.save()
    bin_ = location(name="Bin A", code="WH1-A", type="storage", parent=first.storage_location)
    bin_.save()
    zones = {}
    for zone in ("Input", "Output", "Storage"):
        zones[zone] = location(name=f"{zone} 2", type="storage")
        zones[zone].save()
    second = location(name="Second", code="WH2", type="warehouse", production_location=first.production_location)
    second.input_location, second.output_location = zones["Input"], zones["Output"]
    second.storage_location = zones["Storage"]
    second.save()
    for zone in zones.values():
        zone.parent = second
        zone.save()
    group = Model.get("res.group")
    (recall,) = group.find([("name", "=", "Recall")])
    machine = user(name="Recall orchestrator", login="recall", password=os.environ["RECALL_USER_PASSWORD"])
    machine.groups.append(group(recall.id))
    machine.companies.append(company)
    machine.save()
    machine.company = Model.get("company.company")(company.id)
    machine.save()
    party = Model.get("party.party")
    for known in ("Clinic", "Maker", "Sister firm"):
        party(name=known).save()
    (sister,) = party.find([("name", "=", "Sister firm")])
    other = Model.get("company.company")(party=sister, currency=company.currency)
    other.save()
    (admin,) = user.find([("login", "=", "admin")])
    admin.companies.append(other)
    admin.company_filter = "all"
    admin.save()
    unit = Model.get("product.uom")
    (each,) = unit.find([("symbol", "=", "u")])
    unit(name="Box of 10", symbol="box", category=each.category, factor=10.0, rate=0.1, rounding=1.0, digits=0).save()


if __name__ == "__main__":
    if sys.argv[3] == "plain":
        activate(sys.argv[1], sys.argv[2], PLAIN)
    else:
        activate(sys.argv[1], sys.argv[2], ["recall_hold"])
        fill(sys.argv[1], sys.argv[2])
