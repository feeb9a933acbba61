"""The node's log: one line of fields for each thing that happened. Never local variables: they may hold secrets."""

from __future__ import annotations

import sys

import structlog


def set_up(*, as_json: bool = False) -> None:
    """Log to standard error, as text for people or as JSON for machines."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.processors.LogfmtRenderer()
    )
    structlog.configure(
        processors=[*shared, last],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
