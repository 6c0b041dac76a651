"""The form that chooses the time zone in which a user sees moments."""

from typing import Any

from wtforms import SelectField, SubmitField, ValidationError

from quart_enroll.forms.base import SiteForm, lazy, one_line
from quart_enroll.i18n.language import gettext
from quart_enroll.i18n.timezones import city_of, known_timezones, timezone_choices
from quart_enroll.state import site


class TimezoneForm(SiteForm):
    """Choose a time zone; the empty choice is the school's."""

    timezone = SelectField(
        lazy("Time zone"),
        [one_line],
        description=lazy(
            "For opening times, deadlines and emails. Meeting times are always in the school’s time zone."
        ),
        validate_choice=False,
    )
    submit = SubmitField(lazy("Save"))

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        school = [("", city_of(site().config["TIMEZONE"]))]
        self.timezone.choices = {gettext("Your school’s time zone"): school, **timezone_choices()}

    def validate_timezone(self, field: SelectField) -> None:
        """Refuse a time zone that isn't in the list."""
        if field.data and field.data not in known_timezones():
            raise ValidationError(gettext("Choose a time zone from the list."))
