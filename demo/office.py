"""The desk everybody works at after the notices are out: who does what, over HTTP, each with the own token."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from demo.api_client import Person
from demo.waiting import Deadline, DemoError

T = TypeVar("T")
_HANDS = 4
_STEP_S = 240.0


@dataclass
class Office:
    """The people, the recall they work on, and what they wrote down for the checker."""

    people: Mapping[str, Person]
    number: str
    deadline: Deadline
    say: Callable[[str], None]
    doings: dict[str, list[Any]] = field(default_factory=dict)
    """What was done to goods and papers, in the words of those who did it."""
    papers: dict[str, str] = field(default_factory=dict)
    """File name -> SHA-256 of every paper that was uploaded."""

    @property
    def base(self) -> str:
        """Path of the recall."""
        return f"/v1/recalls/{self.number}"

    def read(self) -> Any:
        """The recall as its owner sees it."""
        return self.people["qa"].get(self.base)

    def live(self) -> Any:
        """The recall as its workflow sees it now."""
        return self.people["qa"].get(f"{self.base}/live")

    def get(self, path: str, **query: Any) -> Any:
        """A part of the recall's file."""
        return self.people["qa"].get(f"{self.base}{path}", **query)

    def all(self, path: str, **query: Any) -> list[Any]:
        """Every item of a list of the recall's file."""
        return list(self.people["qa"].pages(f"{self.base}{path}", **query))

    def post(self, role: str, path: str, body: Mapping[str, Any]) -> Any:
        """Something one person does to the recall."""
        return self.people[role].post(f"{self.base}{path}", body)

    def refused(self, role: str, path: str, body: Mapping[str, Any], kind: str) -> Any:
        """The same, where the product must refuse it for the reason named.

        Raises:
            DemoError: it was not refused, or for another reason.
        """
        answer = self.people[role].try_post(f"{self.base}{path}", body)
        if answer.status < 400 or kind not in str(answer.body.get("type")):
            raise DemoError(f"{path} as {role} should have been refused as {kind}: {answer.status} {answer.body}")
        return answer.body

    def paper(self, role: str, name: str, text: str) -> str:
        """Write a paper and upload it as evidence; returns its id."""
        stored = self.people[role].upload("/v1/evidence", f"{name}.txt", f"{text}\n".encode(), "text/plain")
        self.papers[stored["file_name"]] = stored["sha256"]
        return str(stored["id"])

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """The first true value of `look`."""
        return self.deadline.wait_for(what, look, _STEP_S)

    def phase(self, *wanted: str) -> str:
        """Wait until the recall is in one of these phases."""

        def look() -> str | None:
            phase = str(self.read()["phase"])
            return phase if phase in wanted else None

        return self.wait(f"{self.number} to enter the phase {' or '.join(wanted)}", look)

    def note(self, kind: str, entry: Any) -> None:
        """Write something down for the checker."""
        self.doings.setdefault(kind, []).append(entry)

    def who(self, role: str) -> str:
        """How a person is named in what is printed."""
        return f"{self.people[role].principal} ({role})"

    def each(self, items: Iterable[Any], do: Callable[[Any], Any]) -> list[Any]:
        """Do the same for every item, a few at a time; the first failure counts."""
        with ThreadPoolExecutor(_HANDS) as pool:
            return list(pool.map(do, items))

    def open_tasks(self, prefix: str) -> list[Any]:
        """Open tasks whose key begins so."""
        return [
            task
            for task in self.all("/tasks")
            if task["key"].startswith(prefix) and task["state"] in {"offered", "accepted"}
        ]
