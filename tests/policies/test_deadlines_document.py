"""The document of deadlines is what the regulation profiles say."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from domain.policy import parse_policy
from domain.policy_parts import HumanStep

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parent.parent.parent


def test_the_committed_document_is_what_the_profiles_say() -> None:
    printed = CliRunner().invoke(app, ["policy", "deadlines"])
    assert printed.exit_code == 0
    assert printed.stdout == (ROOT / "docs" / "deadlines.md").read_text(encoding="utf-8"), "run `make deadlines`"


def test_every_limit_of_every_profile_has_its_row() -> None:
    rows = (ROOT / "docs" / "deadlines.md").read_text(encoding="utf-8")
    for path in (ROOT / "policies").glob("*.yaml"):
        policy = parse_policy(path.read_text(encoding="utf-8"))
        section = rows.split(f"## {policy.title} ")[1].split("\n## ")[0]
        for level in policy.levels.values():
            for item in (*policy.obligations, *level.obligations):
                assert f"| {item.title} · {item.title_zh}" in section
        assert section.count("| Task: ") == len(HumanStep)


def test_a_profile_that_cannot_be_read_gives_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("schema: recall-policy/1\nid: nowhere\n", encoding="utf-8")
    printed = CliRunner().invoke(app, ["policy", "deadlines", "--folder", str(tmp_path)])
    assert printed.exit_code == 2
    assert printed.stdout == ""
    assert "Traceback" not in printed.stderr
    assert len(printed.stderr.strip().splitlines()) == 1


def test_a_folder_without_profiles_is_refused(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["policy", "deadlines", "--folder", str(tmp_path)])
    assert printed.exit_code == 2
    assert "no regulation profile" in printed.stderr
