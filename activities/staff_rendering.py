"""The texts our own people get about tasks and harm: `templates/staff/<kind>/<channel>.<lang>.txt.j2`.

The first line of an e-mail's template is its subject. Names of functions and steps come from `labels.<lang>.yaml`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from db.repositories.staff_messages import Pending
from domain.channels import Channel
from domain.supplier_request import Stage
from domain.visible_text import without_hidden
from models.staff import MessageKind, Staff

TEMPLATES: Final = Path(__file__).parents[1] / "templates" / "staff"
LANGUAGES: Final = ("en", "zh-CN")
_DEFAULT: Final = "en"


@dataclass(frozen=True, slots=True)
class StaffText:
    """One rendered message."""

    subject: str
    """Empty for SMS."""
    body: str
    language: str


class StaffRenderer:
    """Templates and labels, loaded once.

    Raises:
        OSError: a label file is missing.
    """

    def __init__(self, folder: Path = TEMPLATES) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            autoescape=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._labels: dict[str, dict[str, dict[str, str]]] = {
            language: yaml.safe_load((folder / f"labels.{language}.yaml").read_text(encoding="utf-8"))
            for language in LANGUAGES
        }

    def render(self, kind: MessageKind, channel: Channel, pending: Pending, link: str | None = None) -> StaffText:
        """The text of one message in its reader's language, English where there is no other.

        `link`: the signed address an expert outside the firm answers at.
        """
        language = _language(pending.person.language)
        return self._text(kind, channel, language, self._facts(pending, language) | ({"link": link} if link else {}))

    def render_harm(self, channel: Channel, person: Staff, message: int, aware_at: datetime) -> StaffText:
        """The page about a message that tells of harm while no recall looks after it."""
        facts = {"name": person.name, "message": message, "aware": _time(aware_at)}
        return self._text(MessageKind.page, channel, _language(person.language), facts)

    def _text(self, kind: MessageKind, channel: Channel, language: str, facts: dict[str, Any]) -> StaffText:
        template = self._environment.get_template(f"{kind.value}/{channel.value}.{language}.txt.j2")
        # Titles and reasons are people's words: nothing hidden in them may turn a line around.
        text = without_hidden(template.render(facts), "\n")
        if channel is Channel.SMS:
            return StaffText("", " ".join(text.split()), language)
        subject, _, body = text.partition("\n")
        return StaffText(" ".join(subject.split()), body.strip() + "\n", language)

    def _facts(self, pending: Pending, language: str) -> dict[str, Any]:
        labels, task, complaint = self._labels[language], pending.task, pending.complaint
        facts: dict[str, Any] = {
            "name": pending.person.name,
            "principal": pending.person.principal,
            "number": pending.recall.number,
            "title": pending.recall.title,
        }
        if task is not None:
            facts |= {
                "task_id": task.id,
                "what": task.what,
                "step": labels["steps"].get(task.step, task.step.replace("_", " ")),
                "function": labels["functions"].get(task.role, task.role),
                "due": _time(task.due_at),
                "reason": task.sent_back_reason or "",
            }
        if pending.supplier is not None:
            stage = Stage(pending.supplier.stage)
            facts |= {
                "question": pending.supplier.question,
                "stage": labels["stages"][stage.value],
                "due": _time(pending.supplier.due_at(stage)),
                "reason": pending.reason,
            }
        if pending.expert is not None:
            facts |= {"question": pending.expert.question, "due": _time(pending.expert.due_at)}
        if complaint is not None:
            facts |= {
                "complaint": complaint.sequence,
                "severity": labels["severities"].get(complaint.severity, complaint.severity),
                "aware": _time(complaint.awareness_at),
            }
        return facts


def _language(tag: str) -> str:
    wanted = tag.casefold()
    exact = [language for language in LANGUAGES if language.casefold() == wanted]
    same = [language for language in LANGUAGES if language.split("-")[0] == wanted.split("-")[0]]
    return (exact or same or [_DEFAULT])[0]


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""


__all__ = ["LANGUAGES", "StaffRenderer", "StaffText"]
