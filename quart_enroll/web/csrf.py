"""Check that a request comes from this site, and not from another site that is open in the same browser."""

import time
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

from quart import request, session
from werkzeug.datastructures import MultiDict
from wtforms import Form, HiddenField
from wtforms.csrf.core import CSRFTokenField
from wtforms.csrf.session import SessionCSRF
from wtforms.form import BaseForm
from wtforms.meta import DefaultMeta
from wtforms.validators import ValidationError

from quart_enroll.bounded_cache import cached
from quart_enroll.state import site
from quart_enroll.web.request import current_globals, current_request

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, and so need no CSRF token."""

TOKEN_LIFETIME = timedelta(hours=12)

TOKEN_REUSE_SECONDS = 60
"""Seconds for which pages of the same session share a token."""


class PageTokenField(CSRFTokenField):
    """The field of the token, which is generated when a page shows the field: most forms are only sent."""

    def process(self, *args: Any, **options: Any) -> None:
        """Read the token that was sent."""
        HiddenField.process(self, *args, **options)

    @property
    def current_token(self) -> str:  # type: ignore[override]  # WTForms sets it
        return str(self.csrf_impl.generate_csrf_token(self))


class PageToken(SessionCSRF):
    """WTForms' session token, followed by the user for whom the page was made.

    It is not needed if the browser itself confirms that the request comes from this site.
    """

    field_class = PageTokenField

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        return _add_reader(str(super().generate_csrf_token(csrf_token_field)))

    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None:
        if request.method in SAFE_METHODS or comes_from_this_site():
            return
        if "csrf" not in session:  # a session for which no token was ever made
            raise ValidationError
        field.data, _ = _split(field.data or "")
        super().validate_csrf_token(form, field)


class CsrfMeta(DefaultMeta):
    """Settings of a WTForms form that contains the token."""

    csrf = True
    csrf_class = PageToken
    csrf_time_limit = TOKEN_LIFETIME

    @property
    def csrf_secret(self) -> bytes:  # type: ignore[override]  # made per request
        return _secret()

    @property
    def csrf_context(self) -> Any:  # type: ignore[override]  # the same
        return session


class _TokenForm(Form):
    Meta = CsrfMeta


def comes_from_this_site() -> bool:
    """Tell whether the browser confirms it: by Sec-Fetch-Site, or in older browsers by an Origin of this host."""
    return _is_same_origin("Origin")


def is_link_from_this_site() -> bool:
    """Tell whether the visitor followed a link on a page of this site."""
    is_prefetch = request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", "")
    return not is_prefetch and _is_same_origin("Referer")


def _is_same_origin(older_header: str) -> bool:
    if (site := current_request().header_map.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    try:
        page = urlsplit(request.headers.get(older_header, ""))
    except ValueError:  # not a URL
        return False
    return (page.scheme, page.netloc) == (request.scheme, request.host)


def csrf_token() -> str:
    """Return the token for a form without fields; it may be a minute old."""
    if (number := session.get("csrf")) is not None:
        return _add_reader(_token(number, _secret(), int(time.time() // TOKEN_REUSE_SECONDS)))
    token = PageToken()
    token.form_meta = CsrfMeta()  # what a form would set; creating a form for one token takes ten times as long
    return str(token.generate_csrf_token(cast(CSRFTokenField, None)))


@cached("page tokens")
def _token(number: str, secret: bytes, _: int) -> str:
    """Return the token that WTForms makes for the session with that number."""
    token, context = SessionCSRF(), {"csrf": number}
    token.form_meta = cast(
        DefaultMeta, SimpleNamespace(csrf_secret=secret, csrf_context=context, csrf_time_limit=TOKEN_LIFETIME)
    )
    return str(token.generate_csrf_token(cast(CSRFTokenField, None)))


async def has_valid_token() -> bool:
    """Tell whether the form's token proves that the request comes from this site."""
    return _TokenForm(MultiDict({"csrf_token": (await request.form).get("csrf_token", "")})).validate()


async def is_for_another_user() -> bool:
    """Tell whether the form is on a page made for another user, who was signed in here before.

    While staff see the site as a student, some pages are made for them and some for the student.
    """
    _, reader = _split((await request.form).get("csrf_token", ""))
    context = current_globals()
    own = {str(one.user_id) for one in (context.get("user"), context.get("requested_by")) if one is not None}
    return bool(reader and own) and reader not in own


def is_fragment_for_another_user(headers: Mapping[str, str]) -> bool:
    """Tell whether a page made for another user, who is named in X-Reader, is reloading one of its parts."""
    return "x-reader" in headers and headers["x-reader"] != _reader()


def _add_reader(token: str) -> str:
    return f"{token}##{_reader()}"


def _split(token: str) -> tuple[str, str]:
    """Return WTForms' token, and the user_id for whom its page was made; empty for a visitor."""
    parts = token.split("##")
    return "##".join(parts[:2]), parts[2] if len(parts) == 3 else ""


def _secret() -> bytes:
    return str(site().secret_key).encode()


def _reader() -> str:
    user = current_globals().get("user")
    return str(user.user_id) if user else ""
