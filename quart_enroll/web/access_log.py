"""Count every request, and log those that matter.

The log identifies users only by their user_id. It never contains what they typed, or a URL that is itself a secret.
"""

import logging
import re
from collections.abc import Iterable
from functools import lru_cache
from time import monotonic
from typing import Any
from urllib.parse import quote

from quart import Quart, current_app, g, request
from structlog.contextvars import bind_contextvars
from werkzeug.routing import Map

from quart_enroll.observability import metrics
from quart_enroll.services.accounts import attempt_limits
from quart_enroll.state import site
from quart_enroll.web import auth, viewing
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.request import current_globals, current_request

ROUTINE_STATUSES = {401, 404, 405, 410}
"""Refusals of reads that are not logged: strangers cause them all day."""

FAILED_SIGN_INS = {
    *("wrong_token", "wrong_credentials", "wrong_password", "password_over_http", "please_wait", "email_taken"),
}
"""Codes of refusals that may be guesses of passwords or tokens; their log lines include the source of the request."""

MAX_PATH_LENGTH = 200
"""Characters of a path that are logged."""

HIDDEN_ARGUMENT = "token"
"""The name of the variable parts of paths that are secrets."""

logger = logging.getLogger(__name__)


def start(request_id: str) -> None:
    """Start the request's clock, and add its ID to every line that is logged while it is handled."""
    context = current_globals()
    context.request_id, context.began = request_id, monotonic()
    bind_contextvars(request_id=request_id)


def note(**facts: str) -> None:
    """Add facts to the request's log line."""
    g.noted = {**g.get("noted", {}), **facts}


def log_response(status: int) -> None:
    """Count the request, and log it if it was a change, was refused or was slow."""
    seconds, app, request = monotonic() - current_globals().began, site(), current_request()
    count(app, request.endpoint or "none", request.method, status, seconds)
    if (level := _level(status, request.method, slow=seconds >= app.config["SLOW_REQUEST"])) is not None:
        logger.log(level, "request", extra=_facts(status, seconds))


def count(app: Quart, endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count a request, if the metrics are enabled."""
    if app.config["METRICS_TOKEN"]:
        metrics.record_response(endpoint, method, status, seconds)


def method() -> str:
    """Return the method for the log: an unknown one may be a secret, or long."""
    return request.method if request.method in metrics.COUNTED_METHODS else "other"


def path() -> str:
    """Return the path for the log, on one line.

    A path with a secret in it is logged as its rule, and so is one whose argument has slashes, as it may hold such a
    path. Of a path that matches no rule, or not with this method, only parts that occur in the site's own paths are
    logged: the rest may be a secret after an extra slash, or in capitals.
    """
    rule = request.url_rule
    if rule is None:
        known = _own_parts(current_app.url_map)
        return "/".join(part if part in known else "*" for part in request.path.split("/"))[:MAX_PATH_LENGTH]
    is_hidden = HIDDEN_ARGUMENT in rule.arguments or any(re.search(r"[/\\]", str(one)) for one in _arguments())
    return str(rule) if is_hidden else quote(request.path)[:MAX_PATH_LENGTH]


def _arguments() -> Iterable[object]:
    return (request.view_args or {}).values()


@lru_cache(8)
def _own_parts(rules: Map) -> frozenset[str]:
    """Return the fixed parts of the site's own paths."""
    return frozenset(part for rule in rules.iter_rules() for part in str(rule).split("/") if "<" not in part)


def _level(status: int, method: str, *, slow: bool) -> int | None:
    if status >= 500:
        return logging.ERROR
    changes = method not in SAFE_METHODS
    if slow or (status >= 400 and (changes or status not in ROUTINE_STATUSES or _is_failed_sign_in())):
        return logging.WARNING
    return logging.INFO if changes else None


def _facts(status: int, seconds: float) -> dict[str, Any]:
    user, view = auth.user(), viewing.current()
    people = {"user_id": user.user_id} if user else {}
    if view is not None:
        people = {"user_id": view.staff.user_id, "viewed_user_id": view.student.user_id}
    return {
        "method": method(),
        "path": path(),
        "status": status,
        "ms": round(seconds * 1000),
        **g.get("noted", {}),
        **({"source": _source()} if _is_failed_sign_in() else {}),
        **people,
        "request_id": g.request_id,
    }


def _is_failed_sign_in() -> bool:
    return g.get("noted", {}).get("code") in FAILED_SIGN_INS


def _source() -> str:
    """Return a digest of the visitor's IP address, the same one that the rate limits use."""
    return attempt_limits.network_digest(str(current_app.secret_key), request.remote_addr or "")
