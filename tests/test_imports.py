"""The table of rooms (design §3) as a test: which room may import which, read from the syntax tree.

Imports inside functions and under `TYPE_CHECKING` count as well; a string handed to importlib does not.
"""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EVERYTHING = {"*"}

ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "models": {"domain"},
    "adapters": {"domain", "settings"},
    "db": {"models", "domain"},
    "imports": {"db", "models", "domain"},
    "workflows": {
        "domain",
        "models.messages",
        "models.messages_capa",
        "models.messages_returns",
        "models.messages_keepers",
        "models.messages_quality",
        "activities",
    },
    "activities": {"domain", "models", "adapters", "db", "settings", "documents"},
    "api": {
        "workflows",
        "models",
        "db",
        "domain",
        "imports",
        "settings",
        "plugin",
        "adapters.evidence",
        "suggestion.model_file",
        "documents",
    },
    "suggestion": {"domain"},
    "documents": {"domain"},
    "dossier": {"db", "models", "domain", "adapters.evidence", "settings"},
    "stack": {"settings", "plugin", "db", "domain", "workflows.search_attributes"},
    "demo": set(),
    "settings": set(),
    "plugin": set(),
    "worker": EVERYTHING,
    "worker_keepers": EVERYTHING,
    "worker_returns": EVERYTHING,
    "worker_quality": EVERYTHING,
    "cli": EVERYTHING,
    "cli_audit": EVERYTHING,
    "cli_policy": EVERYTHING,
    "cli_retention": EVERYTHING,
    "cli_policy_change": EVERYTHING,
    "cli_policy_dry_run": EVERYTHING,
    "cli_policy_office": EVERYTHING,
    "cli_policy_check": EVERYTHING,
    "cli_dossier": EVERYTHING,
    "cli_keepers": EVERYTHING,
    "cli_staff": EVERYTHING,
    "cli_staff_responsible": EVERYTHING,
    "cli_staff_signing": EVERYTHING,
    "cli_tasks": EVERYTHING,
    "cli_codes": EVERYTHING,
    "cli_money": EVERYTHING,
    "cli_findings": EVERYTHING,
    "cli_nonconformities": EVERYTHING,
    "cli_token": EVERYTHING,
    "cli_trace": EVERYTHING,
    "cli_wake": EVERYTHING,
    "bench": EVERYTHING,
    "tests": EVERYTHING,
}
"""Room -> rooms (or single modules) of ours that it may import; its own modules are always allowed.

`settings` is a frozen value without behaviour, so whoever is configured by it may name its type. The API stores and
gives out evidence files itself (they must not travel through Temporal), so it may use that one adapter. Of the room
that trains the model of suggestions it uses the reader of the finished file, and nothing that needs scikit-learn.
"""

NOBODY_IMPORTS = {"api": {"cli", "bench", "tests"}, "worker": {"tests"}}
"""Composition roots, and who may still reach into them."""


def files_of(room: str) -> list[Path]:
    """Python files of a room, be it a package or a single module."""
    single = ROOT / f"{room}.py"
    return [single] if single.exists() else sorted((ROOT / room).rglob("*.py"))


def imported_modules(source: str, package: str) -> set[str]:
    """Absolute dotted names imported by a file; `from a import b` yields `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def forbidden(room: str, module: str) -> bool:
    """Whether importing `module` breaks the rule of `room`."""
    target = module.split(".", maxsplit=1)[0]
    if target not in ALLOWED or target == room:
        return False
    if target in NOBODY_IMPORTS:
        return room not in NOBODY_IMPORTS[target]
    allowed = ALLOWED[room]
    return allowed != EVERYTHING and not any(module == a or module.startswith(f"{a}.") for a in allowed)


@pytest.mark.unit
@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_its_rule_allows(room: str) -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files_of(room)
        for module in sorted(imported_modules(path.read_text(), ".".join(path.relative_to(ROOT).parent.parts)))
        if forbidden(room, module)
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.unit
def test_every_room_of_the_project_has_a_rule() -> None:
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {p.stem for p in ROOT.glob("*.py")}
    assert rooms <= set(ALLOWED), f"rooms without a rule: {sorted(rooms - set(ALLOWED))}"


@pytest.mark.unit
def test_every_room_that_the_product_needs_is_installed_with_it() -> None:
    """An editable installation maps names too: `recall` outside the checkout sees only what is listed."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    listed = set(build["py-modules"]) | {name.removesuffix("*") for name in build["packages"]["find"]["include"]}
    assert listed == set(ALLOWED) - {"bench", "demo", "tests"}


@pytest.mark.unit
@pytest.mark.parametrize(
    ("room", "source", "wrong"),
    [
        ("domain", "import models.tables", True),
        ("workflows", "from models import tables", True),
        ("workflows", "from models.messages import StartRecall", False),
        ("workflows", "def f():\n    import db.engine", True),
        ("activities", "from api.app import create_app", True),
        ("api", "import worker", True),
        ("demo", "from settings import Settings", True),
        ("db", "from .engine import make_engine", False),
    ],
)
def test_the_rule_itself_catches_what_it_should(room: str, source: str, wrong: bool) -> None:
    assert any(forbidden(room, module) for module in imported_modules(source, room)) is wrong
