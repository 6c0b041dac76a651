"""The form that chooses a language."""

from wtforms import HiddenField, StringField, ValidationError

from quart_enroll.forms.base import SiteForm, lazy, one_line
from quart_enroll.i18n.language import gettext
from quart_enroll.web import locale


class LanguageForm(SiteForm):
    """Choose the language of the pages."""

    next = HiddenField()
    language = StringField(lazy("Language"), [one_line])

    def validate_language(self, field: StringField) -> None:
        """Refuse a language that the site doesn't offer."""
        if field.data not in locale.offered():
            raise ValidationError(gettext("This site isn’t available in that language."))
