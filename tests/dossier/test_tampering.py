"""Whatever is changed in a dossier, the verifier says so, and never with a traceback.

An attacker who seals again whatever he changed is caught by the checks behind the seal, as far as they reach; what only
the printed hash proves is tested as such.
"""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain.audit_chain import chain_hash
from dossier.archive import ArchiveWriter
from dossier.verify import CHECKS, main, verify
from dossier.verify_file import SEAL, Dossier, Fault, check_layout, check_seal
from tests.activities.conftest import NUMBER
from tests.dossier.conftest import World

pytestmark = pytest.mark.workflow
Files = dict[str, bytes]


def intact(archive: bytes) -> bool:
    """The verdict of every check."""
    return all(holds for holds, _, _ in verify(io.BytesIO(archive)))


def holds(check: Callable[[Dossier], str], archive: bytes) -> bool:
    """The verdict of one check alone; whatever it stumbles over is a no."""
    try:
        check(Dossier(io.BytesIO(archive)))
    except Fault:
        return False
    except Exception:  # noqa: BLE001 - `verify` turns these into a verdict, too
        return False
    return True


def flipped(archive: bytes, position: int, mask: int) -> bytes:
    """One byte changed."""
    return archive[:position] + bytes([archive[position] ^ mask]) + archive[position + 1 :]


def frame(archive: bytes) -> list[int]:
    """Positions of all bytes that are no file's content: headers, directory, its end, the seal."""
    positions: list[int] = []
    at = 0
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        for info in file.infolist():
            header = 30 + len(info.filename.encode())
            positions += range(at, at + header)
            at += header + info.file_size
    return [*positions, *range(at, len(archive))]


def unpacked(archive: bytes) -> Files:
    """The files in their order."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def sealed_again(files: Files, manifest: bytes | None = None) -> bytes:
    """What an attacker makes who knows the format: listed sizes, hashes and rows, layout and seal all fit."""
    buffer = io.BytesIO()
    archive = ArchiveWriter(buffer)
    for name, content in files.items():
        if name != "manifest.json":
            archive.add(name, content)
    listed = json.loads(files["manifest.json"])
    listed["files"] = [asdict(entry) for entry in archive.files]
    for name, table in listed["tables"].items():
        with suppress(ValueError):
            table["rows"] = len(json.loads(files.get(f"record/{name}.json", b"[]")))
    archive.add("manifest.json", json.dumps(listed).encode() if manifest is None else manifest)
    archive.seal()
    return buffer.getvalue()


async def test_every_changed_byte_of_headers_directory_and_seal_is_found(world: World) -> None:
    archive = await world.archive()
    assert intact(archive)
    chosen = random.Random(2026)  # noqa: S311 - the same positions in every run
    for position in frame(archive):
        changed = flipped(archive, position, 1 << chosen.randrange(8))
        # The layout alone finds it (the seal's own digits excepted), and the seal does.
        in_seal = position >= len(archive) - 64 - len(SEAL)
        assert in_seal or not holds(check_layout, changed), position
    for position in chosen.sample(frame(archive), 1500):
        assert not holds(check_seal, flipped(archive, position, chosen.randrange(1, 256))), position


async def test_any_changed_byte_of_any_file_is_found_and_told_without_a_traceback(world: World) -> None:
    archive = await world.archive()
    chosen = random.Random(7)  # noqa: S311
    for position in chosen.sample(range(len(archive)), 4000):
        assert not holds(check_seal, flipped(archive, position, chosen.randrange(1, 256))), position
    for position in chosen.sample(range(len(archive)), 120):
        results = list(verify(io.BytesIO(flipped(archive, position, 0xFF))))
        assert [name for _, name, _ in results if name != "note"] == [name for name, _ in CHECKS]
        failed = {name for ok, name, _ in results if not ok}
        assert "seal" in failed
        assert failed & {"layout", "manifest"} or position >= len(archive) - 64 - len(SEAL), position


async def test_cutting_appending_and_swapping_is_found(world: World, tmp_path: Path) -> None:
    archive = await world.archive()
    chosen = random.Random(3)  # noqa: S311
    cuts = [0, 1, 21, 22, len(archive) - 1, *chosen.sample(range(len(archive)), 60)]
    damaged = [archive[:cut] for cut in cuts] + [archive[cut:] for cut in cuts[1:12]]
    damaged += [archive + b"\0", archive + archive, b"\0" + archive, bytes(len(archive)), archive[::-1]]
    for each in damaged:
        assert not intact(each)
    file = tmp_path / "damaged.zip"
    for each in damaged[:8]:
        file.write_bytes(each)
        assert main([str(file)]) == 1


def _without(name_part: str) -> Callable[[Files], None]:
    def attack(files: Files) -> None:
        for name in [name for name in files if name_part in name]:
            del files[name]

    return attack


def _swap_evidence(files: Files) -> None:
    first, second = sorted(name for name in files if name.startswith("evidence/files/"))
    files[first], files[second] = files[second], files[first]


def _forge_evidence_and_record(files: Files) -> None:
    """Another content under its own hash, with record and index made to fit; the audit still has the old hash."""
    (name,) = [name for name in files if name.startswith("evidence/files/") and name.endswith(".pdf")]
    old, forged = name.split("/")[-1].removesuffix(".pdf"), b"%PDF-1.7 forged"
    new = hashlib.sha256(forged).hexdigest()
    size = len(files.pop(name))
    files[f"evidence/files/{new}.pdf"] = forged
    for part in ("record/evidence.json", "evidence/index.json"):
        rows = json.loads(files[part].replace(old.encode(), new.encode()))
        for row in rows:
            row["size"] = len(forged) if row["sha256"] == new and row["size"] == size else row["size"]
        files[part] = json.dumps(rows).encode()


def _chain(files: Files) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["audit/chain.jsonl"].decode().splitlines()]


def _write_chain(files: Files, events: list[dict[str, Any]]) -> None:
    files["audit/chain.jsonl"] = b"".join(json.dumps(event).encode() + b"\n" for event in events)


def _edit_event(index: int, *, onwards: bool) -> Callable[[Files], None]:
    """Another actor in one event, its own hash made to fit, or all hashes after it as well."""

    def attack(files: Files) -> None:
        events = _chain(files)
        events[index]["actor"] = "nobody"
        last = len(events) if onwards else index % len(events) + 1
        for at in range(index % len(events), last):
            events[at]["prev_hash"] = events[at - 1]["hash"] if at else "0" * 64
            events[at]["hash"] = chain_hash(events[at]["prev_hash"], events[at])
        _write_chain(files, events)

    return attack


def _drop_last_event(files: Files) -> None:
    _write_chain(files, _chain(files)[:-1])


def _reorder_events(files: Files) -> None:
    events = _chain(files)
    events[2], events[3] = events[3], events[2]
    _write_chain(files, events)


def _edit_json(name: str, change: Callable[[Any], object]) -> Callable[[Files], None]:
    def attack(files: Files) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = json.dumps(value).encode()

    return attack


def _forge(column: str, rows: Any) -> None:
    rows[-1][column] = "Mallory"


def _edit_document(files: Files) -> None:
    files["documents/notice-1/initial.email.en.txt"] += b" All is well."


def _edit_body(files: Files) -> None:
    """The approved text changed in record and document, with its own hash and the notice's made to fit."""
    bodies = json.loads(files["record/notice_body.json"])
    row = next(b for b in bodies if (b["kind"], b["channel"], b["language"]) == ("initial", "email", "en"))
    row["body"]["text"] += " All is well."
    fields = {key: value for key, value in row["body"].items() if key != "sha256"}
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    row["sha256"] = row["body"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    files["record/notice_body.json"] = json.dumps(bodies).encode()
    files["documents/notice-1/initial.email.en.txt"] = row["body"]["text"].encode()
    notices = json.loads(files["record/notice.json"])
    hashes = sorted(b["sha256"] for b in bodies if b["notice_id"] == notices[0]["id"])
    notices[0]["sha256"] = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    files["record/notice.json"] = json.dumps(notices).encode()


def _cut_history(files: Files) -> None:
    name = next(name for name in files if f"recall_{NUMBER}/" in name)
    history = json.loads(files[name])
    del history["events"][2]
    files[name] = json.dumps(history).encode()


def _drop_first_run(files: Files) -> None:
    """A run and its entry in the index; the run after it still says where it came from."""
    index = json.loads(files["temporal/index.json"])
    run = next(run for run in index if run["last_event"].endswith("CONTINUED_AS_NEW"))
    index.remove(run)
    del files[run["file"]]
    files["temporal/index.json"] = json.dumps(index).encode()


def _edit_signed(files: Files) -> None:
    rows = json.loads(files["record/signature.json"])
    rows[0]["document"]["stated"]["reason"] = "another reason"
    text = json.dumps(rows[0]["document"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    rows[0]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    files["record/signature.json"] = json.dumps(rows).encode()


def _add_file(files: Files) -> None:
    files["evidence/files/letter.pdf"] = b"%PDF-1.7 found later"


def _nonsense(name: str, content: bytes) -> Callable[[Files], None]:
    def attack(files: Files) -> None:
        files[name] = content

    return attack


ATTACKS: dict[str, tuple[Callable[[Files], None], str]] = {
    "an evidence file removed": (_without("evidence/files/"), "evidence"),
    "two evidence files swapped": (_swap_evidence, "evidence"),
    "a file nobody recorded": (_add_file, "evidence"),
    "evidence forged with record and index": (_forge_evidence_and_record, "citations"),
    "an evidence link removed": (_edit_json("record/evidence_link.json", lambda rows: rows.pop()), "citations"),
    "an upload event removed": (_nonsense("audit/system.jsonl", b""), "citations"),
    "an audit event edited, its hash recomputed": (_edit_event(3, onwards=False), "audit"),
    "the last audit event edited, its hash recomputed": (_edit_event(-1, onwards=False), "audit"),
    "an audit event edited, all hashes after it recomputed": (_edit_event(3, onwards=True), "audit"),
    "the last audit event removed": (_drop_last_event, "audit"),
    "audit events in another order": (_reorder_events, "audit"),
    "a document edited": (_edit_document, "notices"),
    "an approved body edited throughout the record": (_edit_body, "notices"),
    "a notice body removed": (_edit_json("record/notice_body.json", lambda rows: rows.pop()), "notices"),
    "an event cut out of a history": (_cut_history, "histories"),
    "a run removed with its index entry": (_drop_first_run, "histories"),
    "all histories removed": (
        lambda files: (_without("temporal/recall")(files), _nonsense("temporal/index.json", b"[]")(files))[0],
        "histories",
    ),
    **{
        f"{table}.{column} of a signed record edited": (
            _edit_json(f"record/{table}.json", partial(_forge, column)),
            "signatures",
        )
        for table, columns in {
            "signature": ("principal", "printed_name", "role", "meaning", "operation", "signed_at", "sha256"),
            "sign_off": ("actor", "role", "meaning", "reason", "outcome", "step", "reference", "signed_at"),
            "hazard_evaluation": ("assessor",),
            "notice": ("approved_by",),
        }.items()
        for column in columns
    },
    "what was signed edited, its hash recomputed": (_edit_signed, "signatures"),
    "a sign-off removed": (_edit_json("record/sign_off.json", lambda rows: rows.pop()), "signatures"),
    "a sign-off without its signature": (
        _edit_json("record/sign_off.json", lambda rows: rows[0].update(signature_id=None)),
        "signatures",
    ),
    "a signature moved to another record": (
        _edit_json("record/sign_off.json", lambda rows: rows[0].update(signature_id=rows[1]["signature_id"])),
        "signatures",
    ),
    "a signature removed": (_edit_json("record/signature.json", lambda rows: rows.pop()), "signatures"),
    "a signed evaluation edited": (
        _edit_json("record/hazard_evaluation.json", lambda rows: rows[0]["body"].update(evaluation={})),
        "signatures",
    ),
    "a referenced lot removed": (_edit_json("record/lot.json", lambda rows: rows.pop()), "record"),
    "a table removed": (_without("record/consignee.json"), "record"),
    "another recall's row": (
        _edit_json("record/hazard_evaluation.json", lambda rows: rows[0].update(recall_number="RC-2026-000009")),
        "record",
    ),
    "a table that is no table": (_nonsense("record/notice.json", b'{"a": 1}'), "notices"),
    "endless nesting": (_nonsense("audit/chain.jsonl", b"[" * 100_000), "audit"),
    "a chain of numbers": (_nonsense("audit/chain.jsonl", b"1\n2\n"), "audit"),
    "no UTF-8": (_nonsense("evidence/index.json", b"\xff\xfe"), "evidence"),
    "a number no interpreter reads": (_nonsense("evidence/index.json", b"9" * 10_000), "evidence"),
}


async def test_an_attacker_who_seals_again_is_caught_by_the_checks_behind_the_seal(world: World) -> None:
    files = unpacked(await world.archive())
    assert intact(sealed_again(dict(files)))
    for what, (attack, caught_by) in ATTACKS.items():
        attacked = dict(files)
        attack(attacked)
        archive = sealed_again(attacked)
        failed = {name for ok, name, _ in verify(io.BytesIO(archive)) if not ok}
        assert not failed & {"seal", "layout", "manifest"}, what
        assert caught_by in failed, (what, failed)
    for nonsense in (
        b"",
        b"[]",
        b"{}",
        b"null",
        b"[" * 100_000,
        b"\xff",
        b'{"format": "recall-dossier/1", "files": 7}',
    ):
        results = list(verify(io.BytesIO(sealed_again(files, nonsense))))
        assert not all(ok for ok, _, _ in results), nonsense


async def test_only_the_printed_hash_proves_that_nobody_wrote_another_archive(world: World, tmp_path: Path) -> None:
    archive = await world.archive()
    printed = hashlib.sha256(archive).hexdigest()
    files = unpacked(archive)
    _edit_event(0, onwards=True)(files)
    last = _chain(files)[-1]
    head, manifest = json.loads(files["record/audit_head.json"]), json.loads(files["manifest.json"])
    head[0]["hash"] = manifest["audit_head"]["hash"] = last["hash"]
    files |= {"record/audit_head.json": json.dumps(head).encode(), "manifest.json": json.dumps(manifest).encode()}
    forged = tmp_path / "forged.zip"
    forged.write_bytes(sealed_again(files))
    assert main([str(forged)]) == 0, "consistent in itself, as the README says"
    assert main([str(forged), "--sha256", printed]) == 1
