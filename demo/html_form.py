"""A browser without JavaScript, as far as a form needs one: reads forms and the text around them, fills, submits.

Only what stands in the page can be sent: a field that is not there, a choice that is not offered, or a button that
does not exist is an error, as it would be for the person in front of the page.
"""

import re
import socket
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_HIDDEN = frozenset({"script", "style", "template"})
_PATIENCE = 60


class PageError(Exception):
    """The page does not let a person do what the story asks for."""


@dataclass
class Field:
    """One control of a form."""

    name: str
    kind: str
    value: str
    choices: list[str] = field(default_factory=list)
    """Values of a radio group, a select or a checkbox."""
    chosen: bool = True
    """Whether it is sent at all when nobody touches it."""
    label: str = ""
    group: str = ""
    """Text of the enclosing group (fieldset) before the field: what the question is about."""


@dataclass
class Form:
    """One form of a page as it stands."""

    action: str
    method: str
    fields: dict[str, Field] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, value and text of each submit button."""

    def data(self, filled: dict[str, str], button: str | None = None) -> dict[str, str]:
        """What a browser would send.

        Raises:
            PageError: a field, choice or button that the page does not have.
        """
        sent = {each.name: each.value for each in self.fields.values() if each.chosen}
        for name, value in filled.items():
            known = self.fields.get(name)
            if known is None:
                raise PageError(f"the page has no field {name!r}; it has {sorted(self.fields)}")
            if known.kind == "hidden":
                raise PageError(f"{name!r} is hidden, no person can fill it")
            if known.choices and value not in known.choices:
                raise PageError(f"{name!r} offers {known.choices}, not {value!r}")
            sent[name] = value
        pressed = next((b for b in self.buttons if button is None or button in (b[0], b[1])), None)
        if button is not None and pressed is None:
            raise PageError(f"the page has no button {button!r}; it has {self.buttons}")
        if pressed is not None and pressed[0]:
            sent[pressed[0]] = pressed[1]
        return sent


@dataclass
class Page:
    """A page as fetched."""

    url: str
    status: int
    text: str
    forms: list[Form]
    links: list[str]
    language: str

    def form(self, having: str | None = None) -> Form:
        """The form that has a field or button of this name, or the only one that is posted.

        Raises:
            PageError: there is none, or several.
        """
        found = [
            form
            for form in self.forms
            if (form.method == "post" if having is None else having in form.fields or _has_button(form, having))
        ]
        if len(found) != 1:
            wanted = f"with {having!r}" if having else "to be posted"
            raise PageError(f"{len(found)} forms {wanted} on the page {self.status}: {self.text[:300]}")
        return found[0]


def _has_button(form: Form, name: str) -> bool:
    return any(name in button[:2] for button in form.buttons)


class _Reader(HTMLParser):
    """Collects forms, fields with their labels, links and the visible text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.language = ""
        self._form: Form | None = None
        self._stack: list[tuple[str, int]] = []
        self._labels: list[tuple[str | None, int, list[Field]]] = []
        self._for: dict[str, str] = {}
        self._ids: dict[str, Field] = {}
        self._select: Field | None = None
        self._textarea: tuple[Field, int] | None = None
        self._button: tuple[str, str, int] | None = None

    def _group(self) -> str:
        starts = [start for tag, start in self._stack if tag == "fieldset"]
        return squeezed(self.words[starts[-1] :]) if starts else ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        flags = {name for name, _ in attrs}
        if tag not in _VOID:
            self._stack.append((tag, len(self.words)))
        if tag == "html":
            self.language = given.get("lang", "")
        elif tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "label":
            self._labels.append((given.get("for"), len(self.words), []))
        elif self._form is not None and "disabled" not in flags:
            self._control(tag, given, flags)

    def _control(self, tag: str, given: dict[str, str], flags: set[str]) -> None:
        assert self._form is not None
        kind, name = given.get("type", "text").lower(), given.get("name", "")
        if tag == "button" and given.get("type", "submit") == "submit":
            self._button = (name, given.get("value", ""), len(self.words))
        elif tag == "input" and kind in {"submit", "image"}:
            self._form.buttons.append((name, given.get("value", ""), given.get("value", "")))
        elif tag == "option" and self._select is not None:
            self._select.choices.append(given.get("value", ""))
            if "selected" in flags or len(self._select.choices) == 1:
                self._select.value = given.get("value", "")
        elif tag in {"input", "select", "textarea"} and name:
            made = self._field(tag, kind, name, given, flags)
            if given.get("id"):
                self._ids[given["id"]] = made
            if self._labels:
                self._labels[-1][2].append(made)

    def _field(self, tag: str, kind: str, name: str, given: dict[str, str], flags: set[str]) -> Field:
        assert self._form is not None
        if tag == "input" and kind in {"radio", "checkbox"}:
            value = given.get("value", "on")
            made = self._form.fields.setdefault(name, Field(name, kind, value, chosen=False, group=self._group()))
            made.choices.append(value)
            if "checked" in flags:
                made.value, made.chosen = value, True
            return made
        made = Field(name, tag if tag != "input" else kind, given.get("value", ""), group=self._group())
        self._form.fields[name] = made
        if tag == "select":
            self._select = made
        elif tag == "textarea":
            self._textarea = (made, len(self.words))
        return made

    def handle_endtag(self, tag: str) -> None:
        self._close(tag)
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._textarea is not None:
            made, begin = self._textarea
            made.value = "".join(self.words[begin:])
            self._textarea = None
        elif tag == "button" and self._button is not None and self._form is not None:
            name, value, begin = self._button
            self._form.buttons.append((name, value, squeezed(self.words[begin:])))
            self._button = None
        elif tag == "label" and self._labels:
            target, begin, inside = self._labels.pop()
            text = squeezed(self.words[begin:])
            if target:
                self._for[target] = text
            for made in inside:
                made.label = made.label or text

    def _close(self, tag: str) -> None:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index][0] == tag:
                del self._stack[index:]
                return

    def handle_data(self, data: str) -> None:
        if not any(tag in _HIDDEN for tag, _ in self._stack):
            self.words.append(data)

    def close(self) -> None:
        super().close()
        for identifier, text in self._for.items():
            if identifier in self._ids and not self._ids[identifier].label:
                self._ids[identifier].label = text


def squeezed(words: list[str]) -> str:
    """Text with every run of white space as one space."""
    return re.sub(r"\s+", " ", " ".join(words)).strip()


def read_page(url: str, status: int, html: str) -> Page:
    """The page that stands in `html`."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Page(url, status, squeezed(reader.words), reader.forms, reader.links, reader.language)


class Browser:
    """One person's browser: redirects, no scripts; comes from an address of its own where the system allows it."""

    def __init__(self, address: str | None = None) -> None:
        transport = httpx.HTTPTransport(local_address=address)
        self._http = httpx.Client(transport=transport, timeout=60, trust_env=False, follow_redirects=True)

    def open(self, url: str) -> Page:
        """Follow a link."""
        return self._page("GET", url)

    def submit(self, page: Page, form: Form, filled: dict[str, str], button: str | None = None) -> Page:
        """Press a button of a form."""
        data = form.data(filled, button)
        kind = "params" if form.method == "get" else "data"
        return self._page(form.method.upper(), urljoin(page.url, form.action or page.url), **{kind: data})

    def _page(self, method: str, url: str, **sent: dict[str, str]) -> Page:
        for _ in range(_PATIENCE):
            try:
                response = self._http.request(method, url, **sent)  # type: ignore[arg-type]
            except httpx.TransportError:
                # The server is away: press the button again. The form's one-time id makes that harmless.
                time.sleep(1.0)
                continue
            if response.status_code not in {429, 503}:
                break
            # The page itself says when to come back, as it would to anybody who is too fast.
            time.sleep(min(float(response.headers.get("Retry-After", "1")), 5.0))
        else:
            raise PageError(f"{url} did not answer")
        return read_page(str(response.url), response.status_code, response.text)

    def close(self) -> None:
        """Close the window."""
        self._http.close()


def own_address(number: int) -> str | None:
    """A loopback address of its own for the n-th person, or None where only 127.0.0.1 can be used."""
    address = f"127.0.{10 + number // 250}.{1 + number % 250}"
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return None
    return address
