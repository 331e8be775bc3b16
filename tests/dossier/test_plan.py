"""No table is forgotten: each is in the file, elsewhere in it, or left out for a written reason."""

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

from db.repositories.dossier_plan import ELSEWHERE, EXCLUDED, METADATA, PRIVATE, TIES, hanging, plan

pytestmark = pytest.mark.unit


def test_every_table_is_in_the_file_or_left_out_for_a_reason() -> None:
    written = {each.table.name for each in plan()}
    assert not written & (set(ELSEWHERE) | set(EXCLUDED)), "both written and left out"
    assert written | set(ELSEWHERE) | set(EXCLUDED) == {table.name for table in METADATA.sorted_tables}
    assert all(len(reason) > 20 for reason in (*ELSEWHERE.values(), *EXCLUDED.values()))


def test_nothing_that_hangs_on_a_recall_is_left_out() -> None:
    assert hanging() <= {each.table.name for each in plan()}
    assert {"reply_line", "delivery_event", "capa_action", "disposition_part", "evidence_link"} <= hanging()


def test_names_of_ties_and_private_columns_exist() -> None:
    assert set(TIES) <= set(METADATA.tables)
    for table, columns in PRIVATE.items():
        assert columns <= set(METADATA.tables[table].columns.keys())


def test_tables_that_refer_come_before_those_they_refer_to() -> None:
    order = [each.table.name for each in plan()]
    for each in plan():
        for target in each.references.values():
            other = target.split(".")[0]
            assert other == each.table.name or order.index(each.table.name) < order.index(other)


def key(target: str) -> Column[int]:
    """A foreign key to a table's id."""
    return Column(f"{target}_id", Integer, ForeignKey(f"{target}.id"))


def test_a_table_of_tomorrow_is_found_by_its_foreign_keys() -> None:
    metadata = MetaData()
    for table in METADATA.sorted_tables:
        table.to_metadata(metadata)
    Table("capa_review", metadata, Column("id", Integer, primary_key=True), key("capa"))
    Table("review_note", metadata, Column("id", Integer, primary_key=True), key("capa_review"), key("reviewer"))
    Table("reviewer", metadata, Column("id", Integer, primary_key=True))
    found = {each.table.name: each for each in plan(metadata)}
    assert {"capa_review", "review_note", "reviewer"} <= set(found)
    assert "recall_number = :number" in str(found["review_note"].owned)
