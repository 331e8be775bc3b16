"""`recall dossier` as a process, and the verifier in the archive as a program that needs nothing of ours."""

import ast
import asyncio
import os
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.repositories import audit
from dossier.verifier import verifier_source
from tests.activities.conftest import NUMBER
from tests.api.test_token_commands import call
from tests.dossier.conftest import World
from tests.support.servers import PostgresForTests, free_port
from tests.support.stack import PROJECT

pytestmark = pytest.mark.workflow


@dataclass
class Result:
    """What a program left."""

    code: int
    out: str
    errors: str


async def run(arguments: list[str], **environment: str) -> Result:
    """A program of ours, without anything configured that the test did not."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=inherited | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def configured(world: World, postgres: PostgresForTests, folder: Path, **changes: str) -> dict[str, str]:
    """The environment of an installation over this world."""
    return {
        "DATABASE_URL": postgres.app_url,
        "RECALL_STATE_DIR": str(folder),
        "TEMPORAL_ADDRESS": world.temporal.service_client.config.target_host,
    } | changes


async def test_the_printed_hash_verifies_with_the_verifier_of_the_archive_alone(
    world: World, postgres: PostgresForTests, tmp_path: Path
) -> None:
    target = tmp_path / "dossier.zip"
    command = ["-m", "cli", "dossier", NUMBER, "--out", str(target)]
    written = await run(command, **configured(world, postgres, tmp_path))
    assert (written.code, written.errors) == (0, "")
    sha256 = written.out.split()[-1]
    with zipfile.ZipFile(target) as file:
        file.extract("verify.py", tmp_path)
    # -I: neither our folders nor our packages are on the path; -S: no installed package at all.
    checked = await run(["-I", "-S", str(tmp_path / "verify.py"), str(target), "--sha256", sha256])
    assert (checked.code, checked.errors) == (0, "")
    assert checked.out.splitlines()[-1] == "INTACT"
    assert len([line for line in checked.out.splitlines() if line.startswith("ok")]) == 12
    wrong = await run(["-I", "-S", str(tmp_path / "verify.py"), str(target), "--sha256", "0" * 64])
    assert wrong.code == 1
    async with world.sessions() as session:
        assert (await audit.read(session, NUMBER))[-1].data["sha256"] == sha256
    unknown = ["-m", "cli", "dossier", "RC-2026-000404", "--out", str(tmp_path / "none.zip")]
    refused = await run(unknown, **configured(world, postgres, tmp_path))
    assert (refused.code, refused.errors) == (2, "RC-2026-000404: no recall has this number\n")
    again = await run(command, **configured(world, postgres, tmp_path))
    assert (again.code, "never written over another file" in again.errors) == (2, True)


async def test_an_unreachable_temporal_is_code_1_and_named_and_a_reason_is_code_0(
    world: World, postgres: PostgresForTests, tmp_path: Path
) -> None:
    alone = configured(world, postgres, tmp_path, TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}")
    base = ["-m", "cli", "dossier", NUMBER, "--out"]
    missing = await run([*base, str(tmp_path / "one.zip")], **alone)
    assert missing.code == 1, missing.errors
    assert f"missing history recall:{NUMBER}/: Temporal cannot be reached" in missing.errors
    reasoned = await run([*base, str(tmp_path / "two.zip"), "--without-histories", "server retired"], **alone)
    assert (reasoned.code, reasoned.errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "NUMBER: expected a recall number"),
        (("nonsense", "--out", "x.zip"), "recall number"),
        (("RC-2026-000001",), "--out: expected the archive to write"),
        (("RC-2026-000001", "--out", "/nowhere/at/all.zip"), "/nowhere/at is no folder"),
        (("RC-2026-000001", "--out", "README.md"), "exists"),
        (("RC-2026-000404", "--out", "no-such.zip", "--without-histories", "x"), "no recall has this number"),
    ],
)
async def test_faults_are_one_line_and_code_2(
    clean_db: PostgresForTests, arguments: tuple[str, ...], message: str
) -> None:
    code, out, errors = await call(clean_db.app_url, "dossier", *arguments)
    assert (code, out, errors.count("\n")) == (2, "", 1), errors
    assert message in errors
    assert not await asyncio.to_thread(Path("no-such.zip").exists)


async def test_the_verifier_is_printed_and_says_what_it_cannot_read(tmp_path: Path) -> None:
    printed = await run(["-m", "cli", "dossier", "--verifier"])
    assert (printed.code, printed.out) == (0, verifier_source())
    alone = tmp_path / "verify.py"
    alone.write_text(verifier_source(), encoding="utf-8")
    for arguments, code in (([str(tmp_path / "none.zip")], 2), ([str(tmp_path)], 2), ([], 2), (["x", "--sha", "y"], 2)):
        result = await run(["-I", "-S", str(alone), *arguments])
        assert (result.code, result.out, result.errors.count("\n")) == (code, "", 1)


def test_the_verifier_is_python_3_9_and_imports_the_standard_library_only() -> None:
    source = verifier_source()
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {
        name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names


def test_no_part_of_the_verifier_takes_a_name_that_another_part_or_an_import_has() -> None:
    names: list[str] = []
    for node in ast.parse(verifier_source()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [each.asname or each.name for each in node.names]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names += [
                each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            ]
    assert {"SEAL", "check_chain", "OPERATIONS", "Signatures", "main"} <= set(names)
    assert [name for name, times in Counter(names).items() if times > 1] == []
