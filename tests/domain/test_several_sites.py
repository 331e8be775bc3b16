"""One person's values for several sites, and the files that go with them: every site apart, one site as ever."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from activities.enclosures import sheet_words
from documents.notice_files import own_sheet
from domain.channels import Channel
from domain.lots_csv import lots_csv
from domain.notice_body import ApprovedBody, BodyError, fill
from domain.notice_content import NoticeKind, RecipientLot, RecipientValues
from domain.recipient_values import for_several_sites, names_apart

pytestmark = pytest.mark.unit
TEMPLATES = Path(__file__).parents[2] / "templates" / "notices"


def site(name: str, lot: str, **more: Any) -> RecipientValues:
    return RecipientValues(
        recipient_name=name,
        lots=(RecipientLot(product="Kit", lot=lot, quantity=Decimal(5), unit="test"),),
        link=f"https://firm.example/r/{name}",
        **more,
    )


def merged(*sites: RecipientValues) -> RecipientValues:
    listed = [(UUID(int=number), each.recipient_name, each) for number, each in enumerate(sites, 1)]
    return for_several_sites(sites[0], listed, link="https://firm.example/r/x/sites")


def test_each_site_keeps_its_own_lots_and_link_and_the_list_of_lots_names_the_site() -> None:
    both = merged(site("North", "A1"), site("South", "B2"))
    assert [(each.name, each.link[-5:], each.lots[0].lot) for each in both.sites] == [
        ("North", "North", "A1"),
        ("South", "South", "B2"),
    ]
    assert [(lot.site, lot.lot) for lot in both.lots] == [("North", "A1"), ("South", "B2")]
    assert both.slots()["site_count"] == "2"
    assert both.slots()["sites_brief"] == "North, South"


def test_the_earliest_day_to_answer_counts_and_an_answer_stands_only_where_all_do() -> None:
    early, late = datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 5, tzinfo=UTC)
    both = merged(
        site("North", "A1", respond_by=late, answer_stands=True, first_notice_on=date(2026, 11, 2)),
        site("South", "B2", respond_by=early, distributor=True, first_notice_on=date(2026, 11, 1)),
    )
    assert (both.respond_by, both.first_notice_on) == (early, date(2026, 11, 1))
    assert (both.answer_stands, both.distributor) == (False, True)
    assert merged(site("N", "A", answer_stands=True), site("S", "B", answer_stands=True)).answer_stands


def test_sites_of_one_name_are_told_apart_by_their_code_and_only_those() -> None:
    assert names_apart([("A", "1"), ("B", "2"), ("A", "3")]) == ["A (1)", "B", "A (3)"]


def test_a_body_repeats_its_section_for_each_site_and_hides_it_for_one() -> None:
    body = ApprovedBody.make(
        NoticeKind.INITIAL,
        Channel.SMS,
        "en",
        subject=None,
        text="⟦?site_count⟧⟦site_count⟧:⟦#sites⟧ ⟦site.name⟧=⟦site.lots⟧;⟦/sites⟧⟦/site_count⟧ ⟦link⟧",
        html=None,
    )
    assert fill(body, merged(site("North", "A1"), site("South", "B2"))).text == (
        "2: North=A1 (5 test); South=B2 (5 test); https://firm.example/r/x/sites"
    )
    assert fill(body, site("North", "A1")).text == " https://firm.example/r/North"


@pytest.mark.parametrize("text", ["⟦site.name⟧", "⟦#lots⟧⟦site.name⟧⟦/lots⟧", "⟦#sites⟧⟦lot.number⟧⟦/sites⟧"])
def test_a_slot_of_a_site_stands_only_inside_the_sites(text: str) -> None:
    with pytest.raises(BodyError, match="unknown or misplaced slot"):
        ApprovedBody.make(NoticeKind.INITIAL, Channel.SMS, "en", subject=None, text=text, html=None)


def test_the_list_of_lots_has_a_column_of_sites_only_where_there_are_several() -> None:
    words = sheet_words(TEMPLATES, "en")
    rows = lots_csv(merged(site("North", "A1"), site("=South", "B2")).lots, words).decode("utf-8-sig").splitlines()
    assert rows[0].startswith("Site,Product,")
    assert rows[1].startswith("North,Kit,")
    assert rows[2].startswith("'=South,Kit,"), "no spreadsheet runs a name"
    assert lots_csv(site("North", "A1").lots, words).decode("utf-8-sig").startswith("Product,")


def test_the_own_sheet_says_how_many_sites_and_whose_each_lot_is() -> None:
    sheet = own_sheet(merged(site("North", "A1"), site("South", "B2")), "RC-2026-000001", sheet_words(TEMPLATES, "en"))
    assert "Sites: 2" in sheet.lines
    assert [row[0] for row in sheet.rows] == ["North\nKit", "South\nKit"]
