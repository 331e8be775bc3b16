"""The exported archive: whole, deterministic, readable with ordinary tools, and honest about what is missing."""

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from db.repositories import audit
from domain.workflow_ids import campaign_id, recall_id
from dossier.export import UnknownRecall
from dossier.verify import main, verify
from tests.activities.conftest import NUMBER
from tests.dossier.conftest import CAPA, LETTER, OTHER, PDF, World, an_order
from tests.support.clock import start_environment
from workflows.search_attributes import ALL

pytestmark = pytest.mark.workflow


def read(archive: bytes, name: str) -> Any:
    """A JSON file of the archive, by an ordinary tool."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return json.loads(file.read(name))


def faults(archive: bytes) -> list[tuple[str, str]]:
    """Checks that do not hold."""
    return [(name, text) for holds, name, text in verify(io.BytesIO(archive)) if not holds]


def names_in(folder: Path) -> list[str]:
    """Whatever lies in a folder."""
    return sorted(each.name for each in folder.iterdir())


async def test_a_dossier_verifies_and_ordinary_tools_read_it(world: World) -> None:
    archive = await world.archive()
    assert faults(archive) == []
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        assert file.testzip() is None
        names = file.namelist()
        assert file.read(f"evidence/files/{hashlib.sha256(PDF).hexdigest()}.pdf") == PDF
        assert file.read(f"evidence/files/{hashlib.sha256(LETTER).hexdigest()}.txt") == LETTER
        readme = file.read("README.md").decode()
    assert {"verify.py", "manifest.json", "audit/chain.jsonl", "record/movement.json"} <= set(names)
    assert "documents/notice-1/initial.email.zh-CN.html" in names
    assert f"# Dossier of recall {NUMBER}" in readme
    assert f"# 召回档案 {NUMBER}" in readme


async def test_the_same_state_and_order_make_the_same_bytes(world: World) -> None:
    assert await world.archive() == await world.archive()


async def test_only_this_recall_and_what_it_refers_to_is_in_it(world: World) -> None:
    archive = await world.archive()
    assert [row["number"] for row in read(archive, "record/recall.json")] == [NUMBER]
    assert {entry["file_name"] for entry in read(archive, "evidence/index.json")} == {"report.pdf", "信.txt"}
    lots = world.case.lots
    scope = {lots["supply"], lots["first"], lots["second"]}
    assert {row["lot_id"] for row in read(archive, "record/movement.json")} <= scope
    assert {row["id"] for row in read(archive, "record/lot.json")} == scope
    assert read(archive, "record/lot_genealogy.json"), "what the scope was traced through"
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        written = b"".join(file.read(name) for name in file.namelist() if not name.startswith("record/stock_claim"))
    assert OTHER.encode() not in written


async def test_the_manifest_says_until_when_the_file_is_kept_and_by_which_rule(world: World) -> None:
    kept = read(await world.archive(), "manifest.json")["retention"]
    assert {each["policy"] for each in kept["policies"]} == {"us-fda", "eu-mdr", "cn-nmpa"}
    assert kept["keep_until"] == max(each["until"] for each in kept["policies"])
    (european,) = [each for each in kept["policies"] if each["policy"] == "eu-mdr"]
    assert (european["years"], european["source"]) == (10, "MDR Art. 10(8), 25(2)")


async def test_every_run_is_found_by_visibility_by_the_record_or_by_its_neighbours(world: World) -> None:
    index = read(await world.archive(), "temporal/index.json")
    runs = sorted(each["workflow_id"] for each in index)
    assert runs == sorted([recall_id(NUMBER), recall_id(NUMBER), CAPA, campaign_id(NUMBER, 1)])
    kinds = sorted(each["last_event"] for each in index if each["workflow_id"] == recall_id(NUMBER))
    assert kinds == ["EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED", "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"]


async def test_the_hash_of_the_file_goes_into_the_chain_and_so_into_the_next_dossier(
    world: World, tmp_path: Path
) -> None:
    target = tmp_path / "one.zip"
    exported = await world.exporter().export(an_order(), target)
    assert exported.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert (exported.size, exported.gaps) == (target.stat().st_size, ())
    async with world.sessions() as session:
        last = (await audit.read(session, NUMBER))[-1]
    assert (last.action, last.actor, last.data["sha256"]) == ("dossier.exported", "Audrey", exported.sha256)
    again = await world.archive()
    assert faults(again) == []
    with zipfile.ZipFile(io.BytesIO(again)) as file:
        assert exported.sha256 in file.read("audit/chain.jsonl").decode()
    assert names_in(tmp_path) == ["evidence", "one.zip"], "no half file is left"


async def test_an_unknown_recall_leaves_no_file(world: World, tmp_path: Path) -> None:
    with pytest.raises(UnknownRecall, match="RC-2026-000404"):
        await world.exporter().export(an_order("RC-2026-000404"), tmp_path / "one.zip")
    assert names_in(tmp_path) == ["evidence"]


async def test_without_temporal_every_missing_history_is_named_and_it_is_not_complete(
    world: World, tmp_path: Path
) -> None:
    target = tmp_path / "one.zip"
    exported = await world.exporter(temporal=False).export(an_order(), target)
    assert {gap.what for gap in exported.gaps} == {f"{recall_id(NUMBER)}/", f"{campaign_id(NUMBER, 1)}/"}
    assert [name for name, _ in faults(target.read_bytes())] == ["complete"]
    assert main([str(target)]) == 1


async def test_a_history_that_is_gone_is_named(world: World) -> None:
    empty = await start_environment(ALL)
    try:
        world.temporal = empty.client
        archive = await world.archive()
    finally:
        await empty.shutdown()
    gaps = read(archive, "manifest.json")["gaps"]
    assert {(gap["kind"], gap["what"]) for gap in gaps} == {
        ("history", f"{recall_id(NUMBER)}/"),
        ("history", f"{campaign_id(NUMBER, 1)}/"),
    }
    assert [name for name, _ in faults(archive)] == ["complete"]


async def test_histories_left_out_for_a_reason_are_a_note_and_the_rest_is_intact(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "one.zip"
    order = an_order(without_histories="Temporal 已停用")
    exported = await world.exporter(temporal=False).export(order, target)
    assert exported.gaps == ()
    assert main([str(target), "--sha256", exported.sha256]) == 0
    assert "note  exported without Temporal histories: Temporal 已停用" in capsys.readouterr().out


async def test_damaged_evidence_is_named_and_never_put_in(world: World) -> None:
    path = world.store.path_of(hashlib.sha256(PDF).hexdigest())
    path.chmod(0o640)
    path.write_bytes(b"%PDF-1.7 forged")
    archive = await world.archive()
    (gap,) = read(archive, "manifest.json")["gaps"]
    assert (gap["kind"], gap["what"]) == ("evidence", str(world.files["report.pdf"]))
    assert b"forged" not in archive
    assert [name for name, _ in faults(archive)] == ["complete"]


async def test_a_change_while_it_is_written_is_in_it_wholly_or_not_at_all(world: World) -> None:
    """The database is read from one snapshot: an event appended meanwhile does not tear chain and head apart."""
    store, appended = world.store, []
    read_store = store.read

    async def append_meanwhile(sha256: str) -> bytes:
        async with world.sessions.begin() as session:
            at = an_order().now + timedelta(minutes=1)
            appended.append(await audit.append(session, NUMBER, actor="q", role="qa", action="note", at=at))
        return await read_store(sha256)

    store.read = append_meanwhile  # type: ignore[method-assign]
    assert faults(await world.archive()) == []
    assert appended
