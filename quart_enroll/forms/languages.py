"""The form that chooses a language."""

from wtforms import HiddenField, StringField, ValidationError

from quart_enroll import reader
from quart_enroll.forms.base import SiteForm, lazy, one_line
from quart_enroll.language import gettext


class LanguageForm(SiteForm):
    """Read in another language."""

    next = HiddenField()
    language = StringField(lazy("Language"), [one_line])

    def validate_language(self, field: StringField) -> None:
        """Refuse a language that the site does not speak."""
        if field.data not in reader.offered():
            raise ValidationError(gettext("This site does not speak that language."))
