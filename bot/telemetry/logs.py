"""Structured logs to standard error: one JSON object a line, or coloured lines for a terminal.

Everything passes one redaction: secrets are recognised by the shape that their issuers give them
and by the name of the field they stand in, so that a careless log call cannot leak one.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

#: Slack tokens, AWS access keys, bearer headers, signed-request parameters, passwords in URLs.
SECRETS = re.compile(
    r"xox[a-z]-[\w-]+|xapp-[\w-]+|xoxe\.[\w.-]+|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|(?i:bearer\s+)\S+|(?<=://)[^/\s:@]*:[^/\s]+(?=@)|X-Amz-Signature=\w+"
)
FIELDS = re.compile(r"(?i)token|secret|password|authorization|credential|cookie")
HIDDEN = "[hidden]"

Event = MutableMapping[str, Any]


def redact(text: str) -> str:
    """``text`` without anything that looks like a secret."""
    return SECRETS.sub(HIDDEN, text)


def _redact_event(_logger: object, _method: str, event: Event) -> Event:
    for name, value in event.items():
        if not name.startswith("_"):  # structlog's own, gone before anything is written
            event[name] = _hide(name, value)
    return event


def _hide(name: str, value: Any) -> Any:
    """``value`` without secrets, as deep as it goes; what is no plain value becomes its text."""
    if FIELDS.search(name):
        return HIDDEN
    match value:
        case str():
            return redact(value)
        case Mapping():
            return {key: _hide(str(key), each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_hide("", each) for each in value]
        case None | bool() | int() | float():
            return value
        case _:
            return redact(repr(value))


def configure(level: str = "INFO", style: str = "json") -> None:
    """Send this process's logs, the libraries' included, to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    drawing: Any = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if style == "console"
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # a traceback is redacted as well
                _redact_event,
                drawing,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in (
        "botocore",
        "boto3",
        "urllib3",
        "slack_bolt",
        "slack_sdk",
        "waitress",
        "alembic",
    ):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def adopt_engine_logs() -> None:
    """The workflow engine installs a handler of its own when it is made: send its logs our way."""
    engine = logging.getLogger("dbos")
    engine.handlers[:] = []
    engine.propagate = True
