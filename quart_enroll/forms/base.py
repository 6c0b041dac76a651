"""The base of all forms: hidden fields, the reader's language, and checks of text."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Self, cast

from markupsafe import Markup
from quart import request
from werkzeug.datastructures import CombinedMultiDict
from wtforms import Field, Form, HiddenField, ValidationError
from wtforms.fields.core import UnboundField
from wtforms.form import BaseForm
from wtforms.i18n import DummyTranslations, get_translations

from quart_enroll.domain.readable_text import are_readable_lines, is_readable
from quart_enroll.i18n import language
from quart_enroll.i18n.language import FormMessage, Value
from quart_enroll.web.csrf import CsrfMeta


def lazy(message: str, /, **values: Value) -> str:
    """Return the message for a label or a validator; a page shows it in the reader's language."""
    return cast(str, FormMessage(message, **values))  # WTForms turns it into text where it needs any


UNREADABLE = lazy("This contains unreadable characters. Type it again.")


@lru_cache
def wtforms_translations(of: str) -> Any:
    """Return WTForms' own messages in that language, or in English if it has none."""
    try:
        return get_translations([of])
    except FileNotFoundError:
        return DummyTranslations()


@lru_cache(500)  # the fields of all forms
def _bound_once(field: "UnboundField[Any]", name: str, prefix: str) -> Field:
    """Return the field as part of an empty form."""
    bound: Field = field.bind(Form(), name, prefix)
    return bound


class SiteForm(Form):
    """A form of this site."""

    class Meta(CsrfMeta):
        def bind_field(self, form: BaseForm, unbound_field: "UnboundField[Any]", options: Any) -> Any:
            """Return a copy of the field, except of the token's: to create one takes several times as long."""
            if "csrf_impl" in unbound_field.kwargs:
                return super().bind_field(form, unbound_field, options)
            prototype = _bound_once(unbound_field, options["name"], options["prefix"])
            field = object.__new__(type(prototype))
            own = {"_form": form, "meta": self, "_translations": options["translations"]}
            field.__dict__ |= prototype.__dict__ | own
            return field

        def get_translations(self, form: BaseForm) -> Any:
            """Return WTForms' messages for the cases in which the site has none of its own."""
            return wtforms_translations(language.current_language())

    @classmethod
    async def from_request(cls, **values: Any) -> Self:
        """Fill in the form from a POST's body; other requests get it empty, or with `values`."""
        return cls(await request.form if request.method == "POST" else None, **values)

    @classmethod
    def from_query(cls, **values: Any) -> Self:
        """Fill in the form from the URL."""
        return cls(request.args, **values)

    def hidden_tag(self) -> Markup:
        """Render all hidden fields, including the CSRF token."""
        return Markup("").join(field() for field in self if isinstance(field, HiddenField))


class FileForm(SiteForm):
    """A form with a file."""

    @classmethod
    async def from_request(cls, **values: Any) -> Self:
        """Fill in the form from a POST's body and its files."""
        if request.method != "POST":
            return cls(**values)
        return cls(CombinedMultiDict([await request.form, await request.files]), **values)


def one_line(form: Form, field: Any) -> None:
    """Refuse a field that was sent twice, and text with control characters or wrongly encoded letters."""
    if len(field.raw_data or ()) > 1:
        raise ValidationError(lazy("This field was sent more than once. Fill it in only once."))
    if not is_readable(field.data or ""):
        raise ValidationError(UNREADABLE)


def offered(message: str) -> Callable[[Form, Any], None]:
    """Return a validator that refuses a value which the field doesn't offer, with the message."""

    def check(_: Form, field: Any) -> None:
        if field.data not in [choice.value for choice in field.choices or ()]:
            raise ValidationError(message)

    return check


def several_lines(form: Form, field: Any) -> None:
    """Refuse text that can't be read; unlike `one_line`, it may have tabs and line breaks."""
    if not are_readable_lines(field.data or ""):
        raise ValidationError(UNREADABLE)


def lowered(text: str | None) -> str | None:
    """Return the text in lower case."""
    return text.lower() if text else text


def stripped(text: str | None) -> str | None:
    """Strip blanks from both ends."""
    return text.strip() if text else text
