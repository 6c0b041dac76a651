"""What all forms share: the page's token, the hidden fields, and text that can be read."""

import re
import time
import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Self, cast

from markupsafe import Markup
from quart import current_app, g, request, session
from werkzeug.datastructures import MultiDict
from wtforms import Form, HiddenField, ValidationError
from wtforms.csrf.core import CSRFTokenField
from wtforms.csrf.session import SessionCSRF
from wtforms.form import BaseForm
from wtforms.i18n import DummyTranslations, get_translations
from wtforms.meta import DefaultMeta

from quart_enroll import language
from quart_enroll.caches import cached
from quart_enroll.forms.proof import comes_from_this_site
from quart_enroll.language import Sentence, gettext

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, and so need no proof."""

TOKEN_LIFETIME = timedelta(hours=12)

TOKEN_MADE_ANEW = 60
"""Seconds after which pages of the same session get another token."""


def lazy(message: str) -> str:
    """Return the message for a label or a validator: it becomes text when a page is made, in the reader's language."""
    return cast(str, Sentence(message))  # WTForms makes text of it where it needs any


@lru_cache
def own_words(of: str) -> Any:
    """Return WTForms' own words in that language, or in English when it has none."""
    try:
        return get_translations([of])
    except FileNotFoundError:
        return DummyTranslations()


TURNS_THE_LINE = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What begins or ends a piece of text in another direction."""


class PageToken(SessionCSRF):
    """WTForms' token of the visitor's session; not needed when the browser vouches for the request.

    After it stands for whom the page was made.
    """

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        return _made_for_reader(str(super().generate_csrf_token(csrf_token_field)))

    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None:
        if request.method in SAFE or comes_from_this_site():
            return
        field.data, _ = _apart(field.data or "")
        super().validate_csrf_token(form, field)


class SiteForm(Form):
    """A form of this site."""

    class Meta(DefaultMeta):
        csrf = True
        csrf_class = PageToken
        csrf_time_limit = TOKEN_LIFETIME

        @property
        def csrf_secret(self) -> bytes:  # type: ignore[override]  # made per request
            return str(current_app.secret_key).encode()

        @property
        def csrf_context(self) -> Any:  # type: ignore[override]  # the same
            return session

        def get_translations(self, form: BaseForm) -> Any:
            """Speak to the reader where the site itself says nothing."""
            return own_words(language.spoken())

    @classmethod
    async def from_request(cls, **values: Any) -> Self:
        """Fill in the form from a POST's body; other requests get it empty, or with `values`."""
        return cls(await request.form if request.method == "POST" else None, **values)

    @classmethod
    def from_query(cls, **values: Any) -> Self:
        """Fill in the form from the address."""
        return cls(request.args, **values)

    def hidden_tag(self) -> Markup:
        """Draw all hidden fields, the token among them."""
        return Markup("").join(field() for field in self if isinstance(field, HiddenField))


def csrf_token() -> str:
    """Return the token for a button that stands alone; it may have been made a minute ago."""
    token = PageToken()
    token.form_meta = SiteForm.Meta()  # as a form would set it: a whole form for one token takes ten times as long
    if (number := session.get("csrf")) is None:
        return str(token.generate_csrf_token(cast(CSRFTokenField, None)))
    return _made_for_reader(_token(number, token.form_meta.csrf_secret, int(time.time() // TOKEN_MADE_ANEW)))


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
    return SiteForm(MultiDict({"csrf_token": (await request.form).get("csrf_token", "")})).validate()


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


def one_line(form: Form, field: Any) -> None:
    """Refuse a field that was sent twice, or text with control characters or wrongly encoded letters."""
    if len(field.raw_data or ()) > 1:
        raise ValidationError(gettext("This field was sent twice. Please fill it in once."))
    _check_readable(field.data or "")


def several_lines(form: Form, field: Any) -> None:
    """Refuse text that can't be read; unlike `one_line`, it may have tabs and line breaks."""
    _check_readable(re.sub(r"[\t\r\n]", "", field.data or ""))


def is_readable(text: str) -> bool:
    """Tell whether the text has neither control characters nor wrongly encoded letters.

    Those that turn the direction of a line are control characters too: after a name with one of them, the rest of
    a list would be read backwards.
    """
    return not any(
        unicodedata.category(character) in ("Cc", "Cs") or character == "\ufffd" or character in TURNS_THE_LINE
        for character in text
    )


def _check_readable(text: str) -> None:
    if not is_readable(text):
        raise ValidationError(gettext("This has characters that can’t be read. Please type it again."))


def stripped(text: str | None) -> str | None:
    """Take the blanks off both ends."""
    return text.strip() if text else text
