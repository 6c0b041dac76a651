"""What a visitor sees when something is not as it should be: in words, as a page or as JSON."""

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
from quart_enroll.domain.errors import Busy, PleaseWait, Refused, WrongFields
from quart_enroll.domain.models import SectionRequest
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.state import catalog_at_hand
from quart_enroll.web import access_log, auth, problem_details, retry
from quart_enroll.web.csrf import SAFE_METHODS
from quart_enroll.web.page_of_origin import meant
from quart_enroll.web.request import asked, wants_json
from quart_enroll.web.templating import render

RETRY_AFTER = 5
"""Seconds after which a page should be asked for again when the database is away, or too busy to answer in time."""

WORDS = {
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
"""The heading and the sentence for each kind of refusal; those that are not listed are told as a 400."""

UNSETTLED = Sentence("We couldn’t confirm this in time. It may have gone through; it’s safe to try again.")

READ_ONLY = Sentence(
    "This isn’t possible right now because the site’s database isn’t fully set up. You can still browse courses."
)

CODES = {413: "content_too_large", 414: "uri_too_long", 422: "unprocessable_content"}
"""Codes that Python names differently from one version to the next."""

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


async def of_another() -> Response | AnyResponse:
    """Answer a button of a page that somebody else left open here: with the pages of who is signed in now."""
    sentence = gettext(
        "Someone else opened this page. You’re signed in as %(name)s. No changes were made.",
        name=auth.signed_in().short_name,
    )
    if wants_json():
        abort(409, sentence)
    await flash(sentence, "warning")
    if request.headers.get("HX-Request") == "true":
        return loaded_anew()
    return redirect(url_for("index"), 303)


def loaded_anew() -> Response:
    """Let htmx load the whole page."""
    return Response(status=204, headers={"HX-Refresh": "true"})


async def http_error(error: HTTPException) -> Response | AnyResponse:
    status = error.code or 500
    code = CODES.get(status) or HTTPStatus(status).name.lower()
    response = await _answer(status, code, own_words(error))
    if status == 405:
        response.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or ())
    return response


async def sign_in_first(_: Unauthorized) -> Response | AnyResponse:
    """Send the visitor to sign in, and from there back to the page, or to the course that was wanted."""
    if wants_json():
        return await _answer(401, "sign_in_first", str(SIGN_IN_FIRST))
    wanted = request.full_path.rstrip("?")
    if request.method == "POST":
        wanted = await _after_sign_in()
    await flash(str(asked().route.sign_in_purpose or SIGN_IN_FIRST), "warning")
    return redirect(url_for("login", next=wanted), 303)


async def _after_sign_in() -> str:
    """Return where the visitor goes on who wanted to change something."""
    if request.endpoint == "enrollment":
        return await _wanted_course()
    return url_for("account" if request.path.startswith("/account") else "enrollment")


async def _wanted_course() -> str:
    form = await request.form
    query = {name: form[name][:100] for name in ("courseID", "term", "section") if form.get(name)}
    if term := meant(SectionRequest(query.get("courseID", ""), query.get("term", "")), catalog_at_hand()).term:
        query["term"] = term
    return f"{url_for('enrollment_form')}?{urlencode(query)}"


async def refused(error: Refused) -> Response:
    details: Mapping[str, Sequence[Any]] = error.details
    if isinstance(error, WrongFields):
        details = {"errors": [problem_details.WrongField(name, sentence) for name, sentence in error.fields.items()]}
    return await _answer(error.status, error.code, error.text, retry_after=error.retry_after, details=details)


async def malformed(sentence: str, fields: Mapping[str, Sequence[str]]) -> Response:
    """Answer a form that no page of the site sends; programs get the sentences of each field."""
    return await _answer(WrongFields.status, WrongFields.code, sentence, fields=fields)


async def busy(error: Busy) -> Response:
    return await _answer(error.status, error.code, error.text, retry_after=error.retry_after)


async def please_wait(error: PleaseWait) -> Response:
    response = await _answer(error.status, error.code, error.text)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


async def database_away(error: Exception) -> Response:
    access_log.note(error=type(error).__name__)
    sentence = WORDS[503][1] if request.method in SAFE_METHODS else UNSETTLED
    return await _answer(503, "database_away", str(sentence), retry_after=RETRY_AFTER)


async def database_read_only(_: NoTransactions) -> Response:
    return await _answer(503, "database_read_only", str(READ_ONLY))


def own_words(error: HTTPException) -> str:
    """Return the sentence for this refusal, the view's own where it gave one."""
    given = error.description if error.description != type(error).description else None
    return given or str(WORDS.get(error.code or 500, WORDS[400])[1])


async def _answer(
    status: int,
    code: str,
    sentence: str,
    *,
    retry_after: int | None = None,
    details: Mapping[str, Sequence[Any]] | None = None,
    fields: Mapping[str, Sequence[str]] | None = None,
) -> Response:
    access_log.note(code=code)
    if problem_details.wanted():
        response = problem_details.answer(status, code, sentence, **(details or {}))
    elif wants_json():
        about = {"fields": fields} if fields else {}
        response = jsonify(error=code, message=sentence, request_id=g.get("request_id"), **about)
    else:
        repeat = await retry.pressed() if retry_after is not None else None
        response = Response(_page(status, sentence, retry_after, repeat, (details or {}).get("terms", ())))
        if retry_after is not None and request.method in SAFE_METHODS:
            response.headers["Refresh"] = str(retry.later(retry_after))  # as old as Retry-After, and browsers obey it
    response.status_code = status
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _page(
    status: int, sentence: str, retry_after: int | None, repeat: retry.Press | None, terms: Sequence[str]
) -> bytes:
    try:
        return render(
            "error.html",
            code=status,
            heading=str(WORDS.get(status, WORDS[400])[0]),
            sentence=sentence,
            request_id=g.get("request_id") if status >= 500 else None,
            retry_after=retry_after,
            repeat=repeat,
            by_itself=request.method in SAFE_METHODS,
            terms=terms,
        )
    except Exception:  # noqa: BLE001  # a school's own template may have any fault; the visitor gets the sentence
        current_app.logger.exception("error page failed: request_id=%s", g.get("request_id"))
        return escape(sentence).encode()
