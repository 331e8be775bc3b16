"""The API's log: one JSON object per line on standard error, so that a machine can read every line."""

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; a message that is a JSON object itself is merged into it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
        }
        message = record.getMessage()
        try:
            content = json.loads(message) if message.startswith("{") else message
        except ValueError:
            content = message
        line |= content if isinstance(content, dict) else {"message": content}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logs(level: int = logging.INFO) -> None:
    """Send every logger of this process through `JsonLines`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Libraries that log requests with their parameters at INFO: personal data and secrets, in our case.
    for name in ("httpx", "twilio", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)


__all__ = ["JsonLines", "configure_logs"]
