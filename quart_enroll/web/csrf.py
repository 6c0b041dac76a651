"""Proof that a request comes from this site and from no other page that the visitor has open."""

import time
from collections.abc import Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

from quart import current_app, g, request, session
from werkzeug.datastructures import MultiDict
from wtforms import Form
from wtforms.csrf.core import CSRFTokenField
from wtforms.csrf.session import SessionCSRF
from wtforms.form import BaseForm
from wtforms.meta import DefaultMeta

from quart_enroll.bounded_cache import cached

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, and so need no proof."""

TOKEN_LIFETIME = timedelta(hours=12)

TOKEN_REUSE_SECONDS = 60
"""Seconds after which pages of the same session get another token."""


class PageToken(SessionCSRF):
    """WTForms' token of the visitor's session; not needed when the browser vouches for the request.

    After it stands for whom the page was made.
    """

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        return _made_for_reader(str(super().generate_csrf_token(csrf_token_field)))

    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None:
        if request.method in SAFE_METHODS or comes_from_this_site():
            return
        field.data, _ = _apart(field.data or "")
        super().validate_csrf_token(form, field)


class CsrfMeta(DefaultMeta):
    """Settings of a WTForms form that carries the page's token."""

    csrf = True
    csrf_class = PageToken
    csrf_time_limit = TOKEN_LIFETIME

    @property
    def csrf_secret(self) -> bytes:  # type: ignore[override]  # made per request
        return str(current_app.secret_key).encode()

    @property
    def csrf_context(self) -> Any:  # type: ignore[override]  # the same
        return session


class _TokenForm(Form):
    Meta = CsrfMeta


def comes_from_this_site() -> bool:
    """Tell whether the browser says so itself: by Sec-Fetch-Site, or in older ones by an Origin of this host."""
    return _vouched("Origin")


def link_is_ours() -> bool:
    """Tell whether a page of this site had the link that was followed, and a visitor followed it."""
    looked_at = request.method == "HEAD" or "prefetch" in request.headers.get("Sec-Purpose", "")
    return not looked_at and _vouched("Referer")


def _vouched(older_header: str) -> bool:
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site == "same-origin"
    try:
        page = urlsplit(request.headers.get(older_header, ""))
    except ValueError:  # not an address at all
        return False
    return (page.scheme, page.netloc) == (request.scheme, request.host)


def csrf_token() -> str:
    """Return the token for a button that stands alone; it may have been made a minute ago."""
    token = PageToken()
    token.form_meta = CsrfMeta()  # as a form would set it: a whole form for one token takes ten times as long
    if (number := session.get("csrf")) is None:
        return str(token.generate_csrf_token(cast(CSRFTokenField, None)))
    return _made_for_reader(_token(number, token.form_meta.csrf_secret, int(time.time() // TOKEN_REUSE_SECONDS)))


@cached("page tokens")
def _token(number: str, secret: bytes, _: int) -> str:
    """Return the token for the session of that number, as WTForms makes it."""
    token, context = SessionCSRF(), {"csrf": number}
    token.form_meta = cast(
        DefaultMeta, SimpleNamespace(csrf_secret=secret, csrf_context=context, csrf_time_limit=TOKEN_LIFETIME)
    )
    return str(token.generate_csrf_token(cast(CSRFTokenField, None)))


async def has_token() -> bool:
    """Tell whether the request proves by its form's token that it comes from this site."""
    return _TokenForm(MultiDict({"csrf_token": (await request.form).get("csrf_token", "")})).validate()


async def is_of_another() -> bool:
    """Tell whether the form is of a page that was made for somebody else, who was signed in here before."""
    _, reader = _apart((await request.form).get("csrf_token", ""))
    return bool(reader) and _reader() not in ("", reader)


def is_part_for_another(sent: Mapping[str, str]) -> bool:
    """Tell whether a page wants a part of it anew that was made for somebody else; it says in X-Reader for whom."""
    return sent.get("x-reader", _reader()) != _reader()


def _made_for_reader(token: str) -> str:
    return f"{token}##{_reader()}"


def _apart(token: str) -> tuple[str, str]:
    """Return WTForms' token, and the number of whom its page was made for; nothing for a visitor."""
    parts = token.split("##")
    return "##".join(parts[:2]), parts[2] if len(parts) == 3 else ""


def _reader() -> str:
    user = g.get("user")
    return str(user.user_id) if user else ""
