"""`recall policy check`: each fault is one clear line with file and path, whatever was done to the file."""

import copy
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cli import app
from domain.policy import policy_hash
from domain.policy_report import Report, check_text

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "policies").glob("*.yaml"))
TABLES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "policies" / "calendars").glob("*.yaml")}
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
DATA = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
TODAY = date(2026, 11, 22)


def check(*files: Path | str, on: str = "2026-11-22") -> Result:
    result = CliRunner().invoke(app, ["policy", "check", *map(str, files), "--on", on])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_profiles_are_without_fault_and_their_doubts_are_warnings() -> None:
    result = check(*FILES)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert {line.split(": ")[0] for line in lines} == {str(path) for path in FILES}
    assert sum(": ok: " in line for line in lines) == 6
    assert all(": ok: " in line or ": warning: " in line for line in lines)
    marked = sum(text.count("unverified: true") for text in TEXTS.values())
    assert marked == sum("not verified" in line for line in lines) > 20
    assert any(
        "cn-nmpa.yaml: warning: calendar.working_days: cn-state-council has no table for 2027" in line for line in lines
    )


def test_a_calendar_that_has_the_coming_year_gives_no_warning() -> None:
    assert not any("calendar" in line for line in check(ROOT / "policies" / "cn-nmpa.yaml", on="2025-06-01").stdout)
    assert not any(
        "calendar" in line
        for name, text in TEXTS.items()
        for line in check_text(text, date(2025, 6, 1), TABLES).warnings
    )


def test_a_calendar_whose_table_is_not_there_is_a_warning() -> None:
    (line,) = [line for line in check_text(TEXTS["cn-nmpa"], TODAY, {}).warnings if line.startswith("calendar")]
    assert "needs the table" in line


def test_a_profile_that_nobody_compared_with_the_law_for_a_year_is_a_warning() -> None:
    found = check_text(TEXTS["us-fda"], date(2028, 1, 1), TABLES).warnings
    assert any(line.startswith("verified_on: last compared with the law on") for line in found)


def test_a_fault_is_one_line_with_file_path_and_expectation_and_the_exit_code_is_2(tmp_path: Path) -> None:
    broken = copy.deepcopy(DATA["us-fda"])
    broken["levels"]["I"]["obligations"][2]["due"] = "5 days"
    broken["branches"][1]["when"] = "in_transitt"
    file = written(tmp_path / "broken.yaml", json.dumps(broken, default=str))
    result = check(file, ROOT / "policies" / "eu-mdr.yaml")
    assert result.exit_code == 2
    assert f"{file}: levels.I.obligations[2].due: '5 days' is not a limit: expected" in result.stdout
    assert f"{file}: branches[1].when: unknown fact 'in_transitt'; expected one of" in result.stdout
    assert "eu-mdr.yaml: ok: eu-mdr version 1" in result.stdout, "one broken file does not hide another"


def test_what_is_no_readable_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"title: M\xfcnchen")
    (tmp_path / "huge.yaml").write_bytes(b" " * (3 << 20))
    for file, line in (
        (tmp_path / "none.yaml", "file: cannot be read: No such file"),
        (tmp_path, "file: expected a file, this is a folder"),
        ("/dev/zero", "file: expected a file, this is a folder or a device"),
        (tmp_path / "latin.yaml", "file: expected UTF-8, byte 9 is none"),
        (tmp_path / "huge.yaml", "file: expected at most 262144 characters"),
        (tmp_path / "a\nb.yaml", "file: cannot be read"),
    ):
        result = check(file)
        assert result.exit_code == 2
        assert len(result.stdout.splitlines()) == 1
        assert line in result.stdout


def judged(text: str, seconds: float = 10) -> Report:
    """Whatever `text` is: a policy with a hash, or faults that are one printable line each, in bounded time."""
    started = time.perf_counter()
    report = check_text(text, TODAY, TABLES)
    assert time.perf_counter() - started < seconds
    assert (report.policy is None) == bool(report.faults)
    for line in (*report.faults, *report.warnings):
        assert ": " in line
        assert line.isprintable()
        line.encode()
    if report.policy is not None:
        assert policy_hash(report.policy)
    return report


def places(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for key, item in items for path in places(item, (*prefix, key)))]


PLACES = [(name, place) for name, data in DATA.items() for place in places(data)[1:]]
NASTY = [
    "",
    " ",
    "\x00",
    "\ud800",
    "\u202e",
    "𝔘" * 50,
    "none",
    "before start",
    "9999 wd",
    "0 h",
    "-1 cd",
    "1e9 h",
    "immediately",
]
NASTY += [
    "x" * 3000,
    "a\nb",
    "true",
    "null",
    "~",
    "2026-02-30",
    "I",
    "{{7*7}}",
    "not not not implantable",
    "units > 9" * 40,
]
values: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.sampled_from(NASTY)
    | st.text(max_size=12)
    | st.lists(st.integers() | st.text(max_size=4), max_size=3)
    | st.dictionaries(st.text(max_size=4), st.none() | st.text(max_size=4), max_size=2)
    | st.just([[[[[[]]]]]])
)


def parent_of(data: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        data = data[key]
    return data


@settings(max_examples=60, deadline=None)  # each example writes and reads a whole profile
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["set", "drop", "double", "rename"]), values),
        min_size=1,
        max_size=3,
    )
)
def test_profiles_with_values_replaced_dropped_doubled_or_renamed_give_only_clear_faults(changes: list[Any]) -> None:
    name = changes[0][0][0]
    data = copy.deepcopy(DATA[name])
    for (of, place), what, value in changes:
        try:
            parent = parent_of(data, place)
            parent[place[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change, or another profile's place
        if what == "set" or of != name:
            parent[place[-1]] = value
        elif what == "drop":
            del parent[place[-1]]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[place[-1]]))
        else:
            parent[str(value)] = parent.pop(place[-1]) if what == "rename" else copy.deepcopy(parent[place[-1]])
    judged(yaml.dump(data, Dumper=_NoAliases, allow_unicode=True))


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


edits = st.tuples(
    st.integers(0, 40_000),
    st.integers(0, 400),
    st.sampled_from(
        [
            "",
            "\t",
            "\x00",
            "\x85",
            "\u2028",
            "&a ",
            "*a",
            "<<: *a",
            "!!python/object:os.system ",
            "? ",
            "- ",
            "{",
            "]",
            '"',
            "'",
            "|\n",
            "%",
            "---\n",
            "\ufeff",
            "：",
            "🧨",
        ]
    )
    | st.text(max_size=6),
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.lists(edits, min_size=1, max_size=4))
def test_profiles_whose_text_was_cut_and_pasted_give_only_clear_faults(
    name: str, changes: list[tuple[int, int, str]]
) -> None:
    text = TEXTS[name]
    for at, length, put in changes:
        start = at % len(text)
        text = text[:start] + put + text[start + length :] if text else put
    judged(text)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_a_line_written_twice_gives_only_clear_faults(name: str, data: st.DataObject) -> None:
    lines = TEXTS[name].splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    judged("\n".join([*lines[: at + 1], lines[at], *lines[at + 1 :]]))


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BOMB, "line 2, column 8: aliases (*name) are not allowed"),
        ("a: &a [*a]", "line 1, column 8: aliases"),
        (TEXTS["us-fda"].replace("decision_table:", "decision_table: &t", 1) + "\nx: *t\n", "aliases"),
        ("{a: " * 5000, "nested deeper than 24 levels"),
        ("- " * 100_000, "nested deeper than 24 levels"),
        ("version: " + "9" * 200_000, "line 1, column 10: expected at most 40 characters of a whole number"),
        ("a: [" + "1," * 60_000 + "]", "schema: Field required"),
        ("\n".join(f"k{n}: 1" for n in range(15_000)), "schema: Field required"),
        ("x" * 600_000, "file: expected at most 262144 characters"),
        ("schema: recall-policy/1\x00", "file: not valid YAML"),
        ("id: us-fda\nid: eu-mdr", "line 2, column 1: key 'id' is given twice"),
        (TEXTS["us-fda"] + "\n---\n" + TEXTS["us-fda"], "expected a single document"),
        (
            TEXTS["us-fda"]
            + "  - {id: again, title: a, title_zh: b, when: sterile, basis: house, source: s, notify: {due: 1 h}}\n"
            * 1000,
            "branches: Tuple should have at most 100 items",
        ),
    ],
    ids=range(13),
)
def test_a_file_made_to_do_harm_is_refused_in_bounded_time(text: str, line: str) -> None:
    assert any(line in fault for fault in judged(text, seconds=20).faults)


def test_a_file_with_thousands_of_faults_prints_the_first_and_counts_the_rest(tmp_path: Path) -> None:
    text = TEXTS["us-fda"] + "".join(f"key{number}: 1\n" for number in range(3000))
    lines = check(written(tmp_path / "many.yaml", text)).stdout.splitlines()
    assert len(lines) == 201
    assert lines[-1].endswith("and 2800 more faults")
