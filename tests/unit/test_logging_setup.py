"""The format of log lines."""

import logging
from typing import Any

from quart_enroll.observability import logging_setup


def line(event: str, *, plain: bool = False, fault: bool = False, **facts: Any) -> str:
    record = logging.LogRecord("quart_enroll.tests", logging.WARNING, __file__, 1, event, None, None)
    record.__dict__.update(facts)
    if fault:
        try:
            raise ZeroDivisionError("no\x1b[2J number\nat all")
        except ZeroDivisionError as error:
            record.exc_info = (type(error), error, error.__traceback__)
    return logging_setup.make_formatter(plain=plain).format(record)


def test_a_log_line_has_machine_readable_fields() -> None:
    at, _, rest = line("request", path="/courses/", status=503, error="Not Now").partition(" ")
    assert at.startswith("at=20")
    assert rest == 'level=warning event=request path=/courses/ status=503 error="Not Now"'


def test_no_input_can_begin_a_new_log_line() -> None:
    shown = line("catalog: a\rb\nc\x1b[2J", path="/x\nat=now level=info")
    assert len(shown.splitlines()) == 1
    assert "\x1b" not in shown


def test_an_error_is_one_line_with_its_stack() -> None:
    shown = line("failed", fault=True)
    assert len(shown.splitlines()) == 1
    assert "\x1b" not in shown
    assert "ZeroDivisionError: no" in shown


def test_a_terminal_shows_a_readable_log() -> None:
    shown = line("request", plain=True, path="/courses/")
    assert "at=" not in shown
    assert "request" in shown
    assert "path=/courses/" in shown
