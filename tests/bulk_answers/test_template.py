"""The table a group fills in: its open sites and their lots, in words of its language, safe in a spreadsheet."""

import csv
import io

import pytest

from api.bulk_columns import COLUMNS, LANGUAGES, known_titles, titles
from api.reply_fields import LANGUAGES as PAGE_LANGUAGES
from tests.bulk_answers.conftest import ALL_USED, WHO, Desk, rows_of, table

pytestmark = pytest.mark.db


@pytest.mark.unit
def test_every_language_titles_every_column_and_no_title_means_two_columns() -> None:
    assert set(LANGUAGES) == set(PAGE_LANGUAGES)
    for language in LANGUAGES:
        assert set(titles(language)) == set(COLUMNS)
        for name, title in titles(language).items():
            assert known_titles()[title.casefold()] == name


async def test_a_table_that_was_given_out_comes_back_in_any_language(desk: Desk) -> None:
    for language in LANGUAGES:
        rows = await desk.template(language=language, group="Amani Group")
        words = titles(language)
        assert list(rows[0]) == [words[name] for name in COLUMNS]
        filled = [row | {words[name]: value for name, value in (ALL_USED | WHO).items()} for row in rows]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(filled)
        answer = await desk.send(text.getvalue().encode("utf-8-sig"), preview=True)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["recorded"], answer.json()["left_blank"]) == (3, [])


async def test_only_sites_of_the_group_that_still_owe_their_quantities_are_listed(
    desk: Desk, sites: dict[str, int]
) -> None:
    desk.world.run("UPDATE partner SET group_name = 'Other' WHERE name = 'Hope'")
    assert (await desk.send(table(*rows_of("Grace", "A1")))).status_code == 201
    listed = [(row["Site code"], row["Lot"], row["Delivered"]) for row in await desk.template(group="Amani Group")]
    assert listed == [("P-Mercy", "A1", "10"), ("P-Mercy", "B2", "10")]
    everybody = {row["Site code"] for row in await desk.template(answered=True)}
    assert everybody == {"P-Mercy", "P-Hope", "P-Grace"}
    assert await desk.template(group="Nobody") == []
    assert {row["Site code"] for row in await desk.template(sender=sites["Mercy"])} == {"P-Mercy"}


async def test_no_cell_of_the_table_is_computed_by_a_spreadsheet_and_what_was_guarded_is_read_back(desk: Desk) -> None:
    desk.world.run("UPDATE lot SET number = '=1+1' WHERE number = 'A1'")
    desk.world.run("UPDATE partner SET name = '@SUM(A1)', code = '-2+3' WHERE name = 'Grace'")
    (row,) = [row for row in await desk.template() if row["Site code"] == "'-2+3"]
    assert (row["Lot"], row["Site"]) == ("'=1+1", "'@SUM(A1)")
    back = {"consignee": row["Site code"], "lot": row["Lot"]} | ALL_USED | WHO
    assert (await desk.send(table(back))).status_code == 201


async def test_a_table_in_a_language_that_is_not_there_is_refused(desk: Desk) -> None:
    answer = await desk.callers.get(f"{desk.url}.csv", language="xx")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "query/language")
