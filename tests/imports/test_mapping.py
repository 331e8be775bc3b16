"""A wrong mapping refuses the file before it is read, with the path of the key."""

from pathlib import Path

import pytest

from imports.errors import ImportRefusedError
from imports.mapping import load_mapping
from imports.plan import Plan
from imports.sources import Source
from tests.imports.office import CREATE_ALL, MOVEMENTS, NOW

pytestmark = pytest.mark.unit
MAPPINGS = Path(__file__).parents[2] / "imports" / "mappings"


def compiled(path: Path, kind: str, file: Path) -> Plan:
    loaded = load_mapping(path, kind)
    return Plan(loaded, Source(file, loaded.mapping.file), NOW)


def refusal(folder: Path, text: str, kind: str = "movements") -> str:
    path = folder / "map.yaml"
    path.write_text(text)
    file = folder / "file.csv"
    file.write_text("Id,Day,Type,Item,Lot,Site,From,To,Qty,Unit,Doc,Doc\n")
    with pytest.raises(ImportRefusedError) as caught:
        compiled(path, kind, file)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  lot: Lot", "  lots: Lot", "columns.lots: Extra inputs are not permitted"),
        ("  product: Item\n", "", "columns.product: Field required"),
        ("  lot: Lot", "  lot: Charge", "columns.lot: no column 'Charge' in"),
        ("  lot: Lot", "  lot: '{Lot}-{Charge}'", "columns.lot: no column 'Charge' in"),
        ("  lot: Lot", "  lot: {column: Lot, constant: X}", "columns.lot: give exactly one of column, template"),
        ("  lot: Lot", "  lot: {column: Lot, maps: x}", "columns.lot.maps: Extra inputs are not permitted"),
        ("  lot: Lot", "  lot: {column: Lot, map: lots}", "columns.lot.map: no table maps.lots"),
        ("  document_no: Doc", "  document_no: Doc", "columns.document_no: "),
        ("  kind: Type", "  kind: {constant: gift}", "columns.kind: 'gift': expected one of receipt"),
        ("  unit: Unit\n", "", "columns.unit: give either unit or factor"),
        ("time_zone: UTC", "time_zone: Mars/Base", "dates.time_zone: 'Mars/Base' is not an IANA time zone"),
        ("{formats: [iso], time_zone: UTC}", "{formats: ['%d.%m.%Y']}", "dates.time_zone: needed"),
        ("source_id: Id\n", "", "source_id: Field required"),
        ("source_system: erp", "source_system: My ERP!", "source_system: String should match pattern"),
        ("kind: movements", "kind: stock", "kind: 'stock', but 'movements' is being imported"),
        ("  lot: Lot", "  lot: Lot\n  lot: Lot", "line 10: key 'lot' is given twice"),
        ("  lot: Lot", "  lot: !!timestamp 2026-99-99", "not readable as YAML (ValueError)"),
        ("  lot: Lot", "  lot: !!int x", "not readable as YAML (ValueError)"),
        ("  lot: Lot", "  lot: " + "[" * 5000, "not readable as YAML (RecursionError)"),
        ("  lot: Lot", "  lot: [", "expected"),
    ],
)
def test_a_wrong_key_is_named_with_its_path(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refusal(tmp_path, (MOVEMENTS + CREATE_ALL).replace(old, new, 1))


def test_every_fault_is_named_at_once_and_a_yaml_word_that_is_no_text_is_explained(tmp_path: Path) -> None:
    text = MOVEMENTS.replace("  product: Item\n", "").replace("  lot: Lot", "  lots: Lot") + "maps: {yn: {yes: true}}\n"
    message = refusal(tmp_path, text)
    assert "columns.product: Field required" in message
    assert "columns.lots: Extra inputs are not permitted" in message
    assert "maps.yn" in message
    assert "need quotes in YAML" in message


def test_a_map_is_checked_before_any_row_is_read(tmp_path: Path) -> None:
    text = MOVEMENTS.replace("  kind: Type", "  kind: {column: Type, map: types}") + "maps: {types: {out: shipping}}\n"
    assert "maps.types.out: 'shipping': expected one of receipt" in refusal(tmp_path, text)


def test_a_missing_mapping_file_and_a_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match="No such file"):
        load_mapping(tmp_path / "none.yaml", "movements")
    assert "a mapping with keys" in refusal(tmp_path, "- a\n- b\n")


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_projects_own_mappings_are_valid(path: Path) -> None:
    assert load_mapping(path, path.stem.split("_")[-1]).mapping.columns
