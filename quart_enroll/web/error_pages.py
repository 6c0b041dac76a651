"""Answer errors and refusals with a page, or with JSON."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from markupsafe import escape
from quart import Quart, Response, abort, current_app, flash, g, jsonify, redirect, request, url_for
from quart_auth import Unauthorized
from werkzeug import Response as AnyResponse
from werkzeug.exceptions import HTTPException

from quart_enroll.db.client import DATABASE_UNAVAILABLE, NoTransactions
from quart_enroll.domain.errors import Busy, PleaseWait, Refused, SectionEditConflict, WrongFields
from quart_enroll.domain.models import SectionRequest
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.state import cached_catalog
from quart_enroll.web import access_log, auth, problem_details, retry
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.page_of_origin import with_page_term
from quart_enroll.web.request import current_request, wants_json
from quart_enroll.web.templating import render

DATABASE_RETRY_SECONDS = 5
"""Seconds after which to retry when the database is unavailable, or too busy to respond in time."""

STATUS_TEXTS = {
    400: (Sentence("That didn’t work"), Sentence("We couldn’t understand that request. No changes were made.")),
    403: (Sentence("Registrars only"), Sentence("Students can’t open this page.")),
    404: (Sentence("Page not found"), Sentence("We can’t find that page. Check the link or go to the home page.")),
    405: (Sentence("That didn’t work"), Sentence("That action isn’t available on this page.")),
    413: (Sentence("Too much data"), Sentence("That’s more than this site accepts at once. No changes were made.")),
    414: (Sentence("That didn’t work"), Sentence("This link is too long.")),
    429: (Sentence("One moment, please"), Sentence("Too many attempts.")),
    415: (Sentence("That didn’t work"), Sentence("We can’t read that format. No changes were made.")),
    500: (Sentence("Something went wrong"), Sentence("Sorry, this is a problem on our side. Please try again later.")),
    503: (
        Sentence("One moment, please"),
        Sentence("The database didn’t respond in time. Nothing has been lost."),
    ),
}
"""The heading and the sentence for each status; other statuses are shown like a 400."""

UNCONFIRMED = Sentence("We couldn’t confirm this in time. It may have gone through; it’s safe to try again.")

READ_ONLY = Sentence(
    "This isn’t possible right now because the site’s database isn’t fully set up. You can still browse courses."
)

STATUS_CODES = {413: "content_too_large", 414: "uri_too_long", 422: "unprocessable_content"}
"""Codes of statuses whose names differ between versions of Python."""

SIGN_IN_FIRST = Sentence("Please sign in first.")
FORGED = Sentence(
    "This page was open for too long, or the request came from another site. No changes were made. "
    "Go back, reload the page and try again."
)


def init_app(app: Quart) -> None:
    """Let `app` answer errors and refusals."""
    app.register_error_handler(Unauthorized, sign_in_first)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Refused, refused)
    app.register_error_handler(Busy, busy)
    app.register_error_handler(PleaseWait, please_wait)
    app.register_error_handler(NoTransactions, database_read_only)
    for error in (TimeoutError, *DATABASE_UNAVAILABLE):
        app.register_error_handler(error, database_away)


async def made_for_another_user() -> Response | AnyResponse:
    """Answer a form on a page that another user left open: send the current user to their own pages."""
    sentence = gettext(
        "Someone else opened this page. You’re signed in as %(name)s. No changes were made.",
        name=auth.signed_in().short_name,
    )
    if wants_json():
        abort(409, sentence)
    await flash(sentence, "warning")
    return redirect(url_for("index"), 303)


def reload_page() -> Response:
    """Let htmx reload the whole page."""
    return Response(status=204, headers={"HX-Refresh": "true"})


async def http_error(error: HTTPException) -> Response | AnyResponse:
    status = error.code or 500
    code = STATUS_CODES.get(status) or HTTPStatus(status).name.lower()
    response = await _respond(status, code, describe(error))
    if status == 405:
        response.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or ())
    return response


async def sign_in_first(_: Unauthorized) -> Response | AnyResponse:
    """Send the visitor to sign in, and from there back to the page, or to the requested course."""
    if wants_json():
        return await _respond(401, "sign_in_first", str(SIGN_IN_FIRST))
    next_url = request.full_path.rstrip("?")
    if request.method == "POST":
        next_url = await _after_sign_in()
    await flash(str(current_request().route.sign_in_purpose or SIGN_IN_FIRST), "warning")
    return redirect(url_for("login", next=next_url), 303)


async def _after_sign_in() -> str:
    """Return the URL where a visitor continues who tried to make a change."""
    if request.endpoint == "enrollment":
        return await _enrollment_form_url()
    if request.path.startswith("/staff"):
        return url_for("staff")
    return url_for("account" if request.path.startswith("/account") else "enrollment")


async def _enrollment_form_url() -> str:
    form = await current_request().button_fields()
    query = {name: form[name][:100] for name in ("courseID", "term", "section") if form.get(name)}
    if term := with_page_term(SectionRequest(query.get("courseID", ""), query.get("term", "")), cached_catalog()).term:
        query["term"] = term
    return f"{url_for('enrollment_form')}?{urlencode(query)}"


async def refused(error: Refused) -> Response:
    details: Mapping[str, Sequence[Any]] = error.details
    if isinstance(error, WrongFields):
        details = {"errors": [problem_details.WrongField(name, sentence) for name, sentence in error.fields.items()]}
    elif isinstance(error, SectionEditConflict):
        details = {
            "differences": [
                problem_details.DifferentField(one.field, one.yours, one.current) for one in error.differences
            ]
        }
    return await _respond(
        error.status, error.code, error.text, heading=error.heading, retry_after=error.retry_after, details=details
    )


async def malformed(sentence: str, fields: Mapping[str, Sequence[str]]) -> Response:
    """Answer a form that no page of the site sends; JSON contains the sentences of each field."""
    return await _respond(WrongFields.status, WrongFields.code, sentence, fields=fields)


async def busy(error: Busy) -> Response:
    return await _respond(error.status, error.code, error.text, retry_after=error.retry_after)


async def please_wait(error: PleaseWait) -> Response:
    response = await _respond(error.status, error.code, error.text)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


async def database_away(error: Exception) -> Response:
    access_log.note(error=type(error).__name__)
    sentence = STATUS_TEXTS[503][1] if request.method in SAFE_METHODS else UNCONFIRMED
    return await _respond(503, "database_away", str(sentence), retry_after=DATABASE_RETRY_SECONDS)


async def database_read_only(_: NoTransactions) -> Response:
    return await _respond(503, "database_read_only", str(READ_ONLY))


def describe(error: HTTPException) -> str:
    """Return the sentence for this error: the view's own if it gave one."""
    own_sentence = error.description if error.description != type(error).description else None
    return own_sentence or str(STATUS_TEXTS.get(error.code or 500, STATUS_TEXTS[400])[1])


async def _respond(
    status: int,
    code: str,
    sentence: str,
    *,
    heading: Sentence | None = None,
    retry_after: int | None = None,
    details: Mapping[str, Sequence[Any]] | None = None,
    fields: Mapping[str, Sequence[str]] | None = None,
) -> Response:
    access_log.note(code=code)
    if problem_details.is_api_request():
        response = problem_details.problem_response(status, code, sentence, **(details or {}))
    elif wants_json():
        more = {"fields": fields} if fields else {}
        response = jsonify(error=code, message=sentence, request_id=g.get("request_id"), **more)
    else:
        repeat = await retry.repeat_button() if retry_after is not None else None
        heading = heading or STATUS_TEXTS.get(status, STATUS_TEXTS[400])[0]
        response = Response(_page(status, heading, sentence, retry_after, repeat, (details or {}).get("terms", ())))
        if retry_after is not None and request.method in SAFE_METHODS:
            response.headers["Refresh"] = str(retry.jitter(retry_after))  # browsers obey this one, but not Retry-After
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _page(
    status: int,
    heading: Sentence,
    sentence: str,
    retry_after: int | None,
    repeat: retry.RepeatButton | None,
    terms: Sequence[str],
) -> bytes:
    try:
        return render(
            "error.html",
            code=status,
            heading=str(heading),
            sentence=sentence,
            request_id=g.get("request_id") if status >= 500 else None,
            retry_after=retry_after,
            repeat=repeat,
            is_automatic=request.method in SAFE_METHODS,
            terms=terms,
        )
    except Exception:  # noqa: BLE001  # a school's own template may fail; the visitor gets the sentence
        current_app.logger.exception("error page failed: request_id=%s", g.get("request_id"))
        return escape(sentence).encode()
