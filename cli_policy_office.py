"""The HTTP API as commands of people use it: who is asking, one Idempotency-Key per step, signing by password.

Change control and accounts are about who did what, so these commands go through the API with a personal token and never
write to the database themselves. Exit code 2: the API refused or cannot be reached; each fault is one line.
"""

import json
import os
import uuid
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import httpx
import typer

Api = Annotated[str, typer.Option("--api", envvar="RECALL_API", help="Address of the HTTP API")]
As = Annotated[
    str,
    typer.Option(
        "--as", help="Role whose development token to use (`recall up`); else RECALL_TOKEN", show_default=False
    ),
]
API: Final = "http://127.0.0.1:8080"
_TIMEOUT: Final = 60.0


def fail(*lines: str) -> NoReturn:
    """Each line on standard error, then exit code 2."""
    for line in lines:
        typer.echo(" ".join(line.split()), err=True)
    raise typer.Exit(2)


class Office:
    """One person's access to the API."""

    def __init__(self, api: str, role: str = "") -> None:
        token = _development_token(role) if role else os.environ.get("RECALL_TOKEN", "")
        if not token:
            fail("RECALL_TOKEN is not set: set it to your access token (recall token create), or give --as ROLE")
        self._api, self._token = api.rstrip("/"), token

    def get(self, path: str, **query: Any) -> Any:
        """JSON of a resource."""
        return self._sent("GET", path, params={key: each for key, each in query.items() if each is not None}).json()

    def text(self, path: str) -> str:
        """A resource that is text."""
        return self._sent("GET", path).text

    def pages(self, path: str, **query: Any) -> list[Any]:
        """Every item of a list."""
        found: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def post(self, path: str, body: dict[str, Any], *, put: bool = False) -> Any:
        """Take a step; where it is a signature and none may be given yet, the password is asked for once."""
        headers = {"Idempotency-Key": f"cli-{uuid.uuid4()}"}
        method = "PUT" if put else "POST"
        answer = self._answer(method, path, json=body, headers=headers)
        if answer.status_code == 401 and _kind(answer) == "signature-required":
            self._open_signing()
            answer = self._answer(method, path, json=body, headers=headers)
        return self._checked(answer).json()

    def send(self, path: str, name: str, content: bytes) -> Any:
        """Send a file."""
        headers = {"Idempotency-Key": f"cli-{uuid.uuid4()}"}
        return self._sent("POST", path, files={"file": (name, content)}, headers=headers).json()

    def _open_signing(self) -> None:
        password = typer.prompt("This is a signature. Your password", hide_input=True, err=True)
        headers = {"Idempotency-Key": f"cli-{uuid.uuid4()}"}
        self._checked(self._answer("POST", "/v1/me/signing-session", json={"password": password}, headers=headers))

    def _sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._checked(self._answer(method, path, **more))

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"} | more.pop("headers", {})
        try:
            return httpx.request(
                method, f"{self._api}{path}", headers=headers, timeout=_TIMEOUT, trust_env=False, **more
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fail(f"{self._api}: the API cannot be reached ({error}); is `recall up` running?")

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        try:
            problem = answer.json()
            lines = [problem.get("detail") or problem.get("title") or f"refused with {answer.status_code}"]
            lines += [f"  {_where(each['pointer'])}{each['detail']}" for each in problem.get("errors", [])]
        except (ValueError, TypeError, KeyError, AttributeError):
            lines = [f"the API answered {answer.status_code}"]
        fail(*lines)


def _where(pointer: str) -> str:
    """Faults of a profile have their path already; others get the field they are about."""
    return "" if pointer == "#/text" else f"{pointer.removeprefix('#/')}: "


def _kind(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["type"]).removeprefix("urn:recall:problem:")
    except (ValueError, TypeError, KeyError):
        return ""


def _development_token(role: str) -> str:
    file = Path(os.environ.get("RECALL_STATE_DIR", ".recall")) / "tokens.json"
    try:
        return str(json.loads(file.read_text())[role]["token"])
    except OSError:
        fail(f"{file}: there are no development tokens; start the stack with `recall up` or set RECALL_TOKEN")
    except (ValueError, KeyError, TypeError):
        fail(f"--as: {file} has no token for {role!r}")


__all__ = ["API", "Api", "As", "Office", "fail"]
