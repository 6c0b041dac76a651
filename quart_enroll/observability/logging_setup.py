"""The format of log lines: key=value for log drains such as Heroku's, and easier to read in a terminal.

The site logs with Python's own logging; structlog only turns each record into a line.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

from structlog import contextvars, dev, processors, stdlib
from structlog.typing import Processor

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def configure(stream: TextIO = sys.stderr) -> None:
    """Send every log record of this process to `stream` in one format."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(make_formatter(plain=stream.isatty()))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def make_formatter(*, plain: bool) -> logging.Formatter:
    """Return a formatter: for people if `plain`, else for programs."""
    first: list[Processor] = [
        contextvars.merge_contextvars,
        stdlib.add_log_level,
        stdlib.ExtraAdder(),
        processors.TimeStamper(fmt="%H:%M:%S" if plain else "iso", utc=not plain, key="at"),
    ]
    if plain:
        last: list[Processor] = [_show_control, dev.ConsoleRenderer(colors=False, timestamp_key="at")]
    else:
        render = processors.LogfmtRenderer(key_order=("at", "level", "event"), drop_missing=True)
        last = [processors.format_exc_info, _show_control, render]
    return stdlib.ProcessorFormatter(
        foreign_pre_chain=first, processors=[stdlib.ProcessorFormatter.remove_processors_meta, *last]
    )


def _show_control(_: Any, __: str, facts: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters, so that no visitor can forge log lines."""
    facts.pop("message", None)  # a copy of the event, if another handler ran first
    return {name: value.translate(_CONTROL) if isinstance(value, str) else value for name, value in facts.items()}
