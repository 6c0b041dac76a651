"""Every address of the site. Endpoints carry no prefix, so that templates say url_for("courses")."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from quart import Quart
from werkzeug.routing import PathConverter

from quart_enroll.api import courses as api
from quart_enroll.api.v1 import catalog, document, me
from quart_enroll.forms.imports.courses import NEWER_API
from quart_enroll.forms.search import SearchForm
from quart_enroll.pages import health, help, home, languages, live_stream, metrics, students
from quart_enroll.pages.account import account, data_export, deletion, email_confirmation, passwords, sign_in, tokens
from quart_enroll.pages.catalog import course, courses
from quart_enroll.pages.enrollment import alerts, calendar, enrollment, enrollment_form, history, plan, waitlist
from quart_enroll.services.accounts import email_links
from quart_enroll.web import static_files

GET = ("GET",)
POST = ("POST",)
DELETE = ("DELETE",)


SEARCH = (*SearchForm.parameters(), "page")


class Route(NamedTuple):
    """A path, and the query parameters that its view `reads`; all others are treated as if they had not been sent.

    `reads` is () for none, or None if the view itself looks at all parameters.
    """

    path: str
    endpoint: str
    view: Callable[..., Any] | None
    methods: tuple[str, ...] = GET
    reads: Collection[str] | None = None


ROUTES = [
    Route("/", "index", home.index, reads=()),
    Route("/index", "index", home.index, reads=()),
    Route("/home", "index", home.index, reads=()),
    Route("/courses/", "courses", courses.courses, reads=SEARCH),
    Route("/courses/<path:term>", "courses", courses.courses, reads=SEARCH),
    Route("/course/<path:courseID>", "course", course.course, reads=("term",)),
    Route("/live", "live", live_stream.live),
    Route("/register", "register", sign_in.register, GET + POST),
    Route("/login", "login", sign_in.login, GET + POST),
    Route("/logout", "logout", sign_in.logout, GET + POST),
    Route("/enrollment", "enrollment", enrollment.enrollment, GET + POST, reads=()),
    Route("/enrollment/form", "enrollment_form", enrollment_form.enrollment_form),
    Route("/enrollment/drop", "enrollment_drop", enrollment.drop, POST),
    Route("/enrollment/swap", "enrollment_swap", enrollment.swap, POST),
    Route("/enrollment/history", "history", history.history),
    Route("/enrollment/calendar.ics", "calendar_file", calendar.download),
    Route("/enrollment/calendar", "calendar_make", calendar.create_link, GET + POST),
    Route("/enrollment/calendar/end", "calendar_end", calendar.revoke_link, POST),
    Route("/calendar/<token>.ics", "calendar_feed", calendar.feed),
    Route("/waitlist", "waitlist_join", waitlist.join, POST),
    Route("/waitlist/leave", "waitlist_leave", waitlist.leave, POST),
    Route("/plan", "plan", plan.plan),
    Route("/plan/add", "plan_add", plan.add, POST),
    Route("/plan/remove", "plan_remove", plan.remove, POST),
    Route("/plan/up", "plan_up", plan.move_up, POST),
    Route("/plan/enroll", "plan_enroll", plan.enroll, POST),
    Route("/alert", "alert_ask", alerts.add, POST),
    Route("/alert/end", "alert_end", alerts.remove, POST),
    Route("/account", "account", account.account),
    Route("/account/data", "account_data", data_export.download),
    Route("/account/delete", "account_delete", deletion.delete, GET + POST),
    Route("/account/end", "account_end", account.end_sign_in, POST),
    Route("/account/password", "account_password", passwords.change, GET + POST),
    Route("/account/sign-out", "account_sign_out", account.sign_out_everywhere, POST),
    Route(email_links.FORGOT_PATH, "password_forgot", passwords.forgot, GET + POST),
    Route(email_links.RESET_PATH, "password_reset", passwords.reset, GET + POST),
    Route(f"{email_links.RESET_PATH}/<token>", "password_link", passwords.open_link),
    Route(email_links.CONFIRM_PATH, "email_confirm", email_confirmation.ask),
    Route(email_links.CONFIRM_PATH, "email_confirmed", email_confirmation.confirm, POST),
    Route(f"{email_links.CONFIRM_PATH}/<token>", "email_link", email_confirmation.open_link),
    Route("/account/email", "email_again", email_confirmation.send_again, POST),
    Route("/account/tokens", "tokens", tokens.tokens, GET + POST),
    Route("/account/tokens/end", "token_end", tokens.revoke, POST),
    Route("/language", "language", languages.choose, POST),
    Route("/help", "help", help.help_page, reads=()),
    Route("/user", "user", students.user),
    Route("/api/", "api", api.api, reads=()),
    Route("/api/<older:idx>", "api", api.api, reads=()),
    Route("/api/v1/terms", "v1_terms", catalog.terms, reads=()),
    Route("/api/v1/courses", "v1_courses", catalog.courses),
    Route("/api/v1/courses/<path:courseID>", "v1_course", catalog.course, reads=()),
    Route("/api/v1/sections", "v1_sections", catalog.sections),
    Route("/api/v1/me", "v1_me", me.me),
    Route("/api/v1/me/enrollments", "v1_enrollments", me.enrollments),
    Route("/api/v1/me/enrollments", "v1_enroll", me.enroll, POST),
    Route("/api/v1/me/enrollments", "v1_drop", me.drop, DELETE),
    Route("/api/v1/me/swaps", "v1_swap", me.swap, POST),
    Route("/api/v1/me/waitlist", "v1_waitlist", me.waitlist),
    Route("/api/v1/me/waitlist", "v1_join", me.join, POST),
    Route("/api/v1/me/waitlist", "v1_leave", me.leave, DELETE),
    Route("/api/v1/me/events", "v1_events", me.events),
    Route("/api/v1/openapi.json", "v1_document", document.openapi),
    Route("/api/v1/docs", "v1_docs", document.docs),
    Route("/static/<path:filename>", "static", static_files.static),
    Route("/healthz", "healthz", health.healthz),
    Route("/readyz", "readyz", health.readyz),
    Route("/metrics", "metrics", metrics.metrics),
]


_READ = {
    route.path.partition("<")[0]: frozenset(name.encode() for name in route.reads)
    for route in ROUTES
    if route.reads is not None
}
"""The parameters read at each path; a path whose last part may be anything stands for all that begin like it."""

_PATHS = {route.path for route in ROUTES if "<" not in route.path}

_FOLDERS = {route.path.partition("<")[0] for route in ROUTES if "<" in route.path}

_DEEP_FOLDERS = sorted((route.path.partition("<")[0] for route in ROUTES if ":" in route.path), key=len, reverse=True)
"""Folders in which the last part may have slashes of its own; an inner folder comes before its outer one."""


def read_query(path: str, query: bytes) -> bytes:
    """Return the query parameters that the view at the path reads, as they were sent."""
    folder = path if path in _PATHS else next(filter(path.startswith, _DEEP_FOLDERS), path[: path.rfind("/") + 1])
    if (read := _READ.get(path)) is None and (folder not in _FOLDERS or (read := _READ.get(folder)) is None):
        return query
    return b"&".join(part for part in query.split(b"&") if _name(part) in read)


def _name(parameter: bytes) -> bytes:
    return unquote_to_bytes(parameter.partition(b"=")[0].replace(b"+", b" "))


class OlderApi(PathConverter):
    """What may follow /api/ in addresses of the Flask site's API, so not what the newer one has there."""

    regex = f"(?!{NEWER_API})[^/].*?"


def register(app: Quart) -> None:
    """Give `app` all addresses."""
    app.url_map.converters["older"] = OlderApi
    for route in ROUTES:
        app.add_url_rule(route.path, route.endpoint, route.view, methods=list(route.methods))
