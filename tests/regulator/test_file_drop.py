"""The file drop: complete or not at all, once however often the process is killed, receipts read with clear errors."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.regulator.base import FailureKind, HandOverFailed, Parcel, ParcelFile
from adapters.regulator.blocked import BlockedTransport
from adapters.regulator.factory import build_transports
from adapters.regulator.file_drop import MANIFEST, FileDrop, file_name
from adapters.regulator.manual import ManualTransport
from settings import Settings

pytestmark = pytest.mark.unit
KEY = "RC-2026-000001-us-fda-s7-v1"
STEPS = ((Path, "mkdir"), (Path, "write_bytes"), (Path, "write_text"), (Path, "rename"), (os, "fsync"))
"""Calls that change the disk; the process is killed before each of them, and after each of them."""


def a_file(name: str, content: bytes) -> ParcelFile:
    return ParcelFile(name, "application/json", content, hashlib.sha256(content).hexdigest())


def parcel(**changes: Any) -> Parcel:
    found = Parcel(
        key=KEY,
        recall="RC-2026-000001",
        jurisdiction="us-fda",
        recipient="FDA",
        obligation="mdr_5_day:1",
        kind="us_mdr",
        model_version="1",
        version=1,
        corrects=None,
        sha256="a" * 64,
        submitted_at=datetime(2026, 11, 20, tzinfo=UTC),
        drill=False,
        files=(a_file("report.json", b"{}"), a_file("../../etc/报告 x.pdf", b"%PDF-")),
    )
    return replace(found, **changes)


def complete(folder: Path) -> bool:
    """Whether a dropped parcel has every file its manifest names, with the right hash."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    named = {each["name"]: each["sha256"] for each in manifest["files"]}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    found.pop(MANIFEST)
    return bool(named) and named == found


def drop_and_die(folder: Path, step: int, *, after: bool) -> bool:
    """Drop the parcel in a process that is killed at a step; True when it came to its end alive."""
    child = os.fork()
    if child == 0:
        left = step

        def killing(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **more: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0 and not after:
                    os._exit(9)
                found = real(*args, **more)
                if left < 0:
                    os._exit(9)
                return found

            return call

        for owner, name in STEPS:
            setattr(owner, name, killing(getattr(owner, name)))
        try:
            asyncio.run(FileDrop(folder).hand_over(parcel()))
        except BaseException:  # noqa: BLE001 - a child of a test must not come back into it
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 0


def collect(folder: Path, taken: list[Path]) -> None:
    """The receiver fetches whatever lies in `out`, at once."""
    out = folder / "out"
    for each in sorted(out.iterdir()) if out.exists() else []:
        assert complete(each), f"{each} was incomplete when it was visible"
        target = folder.parent / f"taken-{folder.name}-{len(taken)}"
        each.rename(target)
        taken.append(target)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_the_parcel_arrives_complete_and_once(tmp_path: Path, after: bool) -> None:
    step, alive = 0, False
    while not alive:
        folder, taken = tmp_path / f"drop{step}", list[Path]()
        alive = drop_and_die(folder, step, after=after)
        collect(folder, taken)
        for _ in range(2):  # whoever repeats it, even twice
            asyncio.run(FileDrop(folder).hand_over(parcel()))
            collect(folder, taken)
        assert len(taken) == 1, f"killed at step {step}: {len(taken)} arrived"
        step += 1
    assert step > 15, "the steps were not seen"


@pytest.mark.parametrize("after", [False, True])
def test_killed_again_and_again_on_one_folder_it_still_arrives_once(tmp_path: Path, after: bool) -> None:
    folder, taken, alive = tmp_path / "drop", list[Path](), False
    for step in range(80):
        alive = drop_and_die(folder, step, after=after)
        collect(folder, taken)
        if alive:
            break
    assert alive
    assert len(taken) == 1
    assert not list((folder / "work").iterdir())


async def test_the_manifest_says_what_it_is_and_names_are_safe(tmp_path: Path) -> None:
    await FileDrop(tmp_path).hand_over(parcel())
    dropped = tmp_path / "out" / KEY
    assert complete(dropped)
    manifest = json.loads((dropped / MANIFEST).read_text(encoding="utf-8"))
    assert (manifest["schema"], manifest["key"], manifest["obligation"]) == (
        "recall-regulator-drop/1",
        KEY,
        "mdr_5_day:1",
    )
    assert [each["name"] for each in manifest["files"]] == ["1-report.json", "2-etc-x.pdf"]
    assert file_name(3, "///") == "3-file"


async def test_a_drill_is_never_dropped(tmp_path: Path) -> None:
    for transport in (FileDrop(tmp_path), BlockedTransport()):
        with pytest.raises(HandOverFailed, match="drill") as failure:
            await transport.hand_over(parcel(drill=True))
        assert failure.value.kind is FailureKind.DRILL
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - of an async test
    assert await BlockedTransport().receipt(KEY) is None


async def test_a_folder_that_cannot_be_used_is_a_reason_to_try_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HandOverFailed, match="folder cannot be used") as failure:
        await FileDrop(tmp_path / "file").hand_over(parcel())
    assert failure.value.kind is FailureKind.TRANSIENT


@pytest.mark.parametrize("key", ["../x", "", "a/b", ".hidden", "x" * 200])
async def test_a_key_that_is_no_file_name_is_refused(tmp_path: Path, key: str) -> None:
    for act in (FileDrop(tmp_path).hand_over(parcel(key=key)), FileDrop(tmp_path).receipt(key)):
        with pytest.raises(HandOverFailed, match="no key") as failure:
            await act
        assert failure.value.kind is FailureKind.PERMANENT


async def test_a_receipt_is_read_back(tmp_path: Path) -> None:
    drop = FileDrop(tmp_path)
    assert await drop.receipt(KEY) is None
    await drop.hand_over(parcel())
    given = {"key": KEY, "outcome": "accepted", "reference": "RES 7", "received_at": "2026-11-21T08:00:00+00:00"}
    (tmp_path / "in" / f"{KEY}.json").write_text(json.dumps(given))
    found = await drop.receipt(KEY)
    assert found is not None
    assert (found.accepted, found.reference) == (True, "RES 7")
    (tmp_path / "in" / f"{KEY}.json").write_text(json.dumps(given | {"outcome": "refused", "reason": "no UDI"}))
    refused = await drop.receipt(KEY)
    assert refused is not None
    assert (refused.accepted, refused.reason) == (False, "no UDI")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "the file: Invalid JSON"),
        ("[]", "the file"),
        ('{"key": "x"}', "outcome: Field required"),
        ('{"key": "other", "outcome": "accepted", "reference": "r", "received_at": "2026-11-21T08:00:00Z"}', "another"),
        ('{"key": "k", "outcome": "accepted", "reference": "r", "received_at": "yesterday"}', "received_at"),
        ('{"key": "k", "outcome": "lost", "reference": "r", "received_at": "2026-11-21T08:00:00Z"}', "outcome"),
        ("x" * 70_000, "larger than"),
    ],
)
async def test_a_file_that_is_no_receipt_is_named_with_its_fault(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"{KEY}.json").write_text(content)
    with pytest.raises(HandOverFailed, match=expected) as failure:
        await FileDrop(tmp_path).receipt(KEY)
    assert failure.value.kind is FailureKind.TRANSIENT


async def test_the_manual_transport_knows_what_the_person_did_and_nothing_more() -> None:
    await ManualTransport().hand_over(parcel())
    assert await ManualTransport().receipt(KEY) is None


def test_transports_are_configured_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECALL_REGULATOR_TRANSPORTS", '{"us-fda": "file_drop"}')
    with pytest.raises(ValueError, match="RECALL_REGULATOR_FOLDER: expected a folder, because us-fda uses file_drop"):
        build_transports(Settings())
    monkeypatch.setenv("RECALL_REGULATOR_FOLDER", str(tmp_path))
    assert set(build_transports(Settings())) == {"manual", "file_drop"}
    monkeypatch.setenv("RECALL_REGULATOR_TRANSPORTS", '{"us-fda": "pigeon"}')
    with pytest.raises(ValueError, match="regulator_transports"):
        Settings()
