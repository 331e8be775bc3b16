"""`python -m api`: serve HTTP with uvicorn; the log is one JSON object per line on standard error."""

import gc
import os
import sys

if __name__ == "__main__":
    gc.disable()  # what modules and routes are made of stays; to look through it for garbage is a third of a start

import uvicorn

from adapters.evidence.factory import build_evidence_store
from api.app import create_app
from api.logs import configure_logs
from settings import get_settings


def main() -> None:
    """Serve until SIGTERM or SIGINT; open requests may finish."""
    settings = get_settings()
    configure_logs()
    if settings.database_url is None:
        sys.exit("DATABASE_URL is not set; start the embedded stack with `recall up` or set it")
    try:
        # Half a configuration is told in one line before the server starts, not by a failed start-up.
        build_evidence_store(settings)
    except ValueError as error:
        sys.exit(str(error))
    app = create_app(settings)
    gc.freeze()
    gc.enable()
    # uvicorn's own access log would show paths, and with them the secret links of recipients.
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=20,
        timeout_keep_alive=15,
    )
    sys.stderr.flush()
    # The Temporal client's native runtime may abort at interpreter exit (engineering §8).
    os._exit(0)


if __name__ == "__main__":
    main()
