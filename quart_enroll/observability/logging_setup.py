"""How lines of the log look: key=value, as Heroku's log drains read them, and easier on the eyes in a terminal.

The site writes with Python's own logging; only the last step, from a record to a line, is structlog's.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

from structlog import contextvars, dev, processors, stdlib
from structlog.typing import Processor

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def begin(stream: TextIO = sys.stderr) -> None:
    """Let all of this process write to `stream` in one manner."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(plain=stream.isatty()))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def formatter(*, plain: bool) -> logging.Formatter:
    """Return what makes a line of a record: for eyes when `plain`, else for programs."""
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
    """Write characters that would move the cursor as what they are: nobody writes lines of their own."""
    facts.pop("message", None)  # the event once more, where another handler came first
    return {name: value.translate(_CONTROL) if isinstance(value, str) else value for name, value in facts.items()}
