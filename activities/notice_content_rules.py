"""The shipped rules of the content check, read from `policies/notice_content/` once per process.

A file that is not what it should be stops the worker with its name and path, as a regulation profile does.
"""

from functools import lru_cache
from pathlib import Path
from typing import Final

from domain.notice_rules import RuleBook, parse_rules
from domain.policy_text import PolicyError

FOLDER: Final = Path(__file__).parents[1] / "policies" / "notice_content"


@lru_cache(maxsize=8)
def load_rules(folder: Path = FOLDER) -> RuleBook:
    """The rules of a folder.

    Raises:
        PolicyError: one line per fault: file, path, what was expected.
    """
    return parse_rules(_texts(folder), _texts(folder / "words"))


def _texts(folder: Path) -> dict[str, str]:
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        try:
            found[file.name] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise PolicyError([f"{file.name}: file: expected UTF-8, byte {error.start + 1} is none"]) from error
        except OSError as error:
            raise PolicyError([f"{file.name}: file: cannot be read: {error.strerror}"]) from error
    return found


__all__ = ["FOLDER", "load_rules"]
