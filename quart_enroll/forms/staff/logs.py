"""The filters of the audit log and the access log, in the URL of their pages."""

from collections.abc import Mapping
from dataclasses import replace

from wtforms import Form, SelectField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import Length, Optional

from quart_enroll.domain.audit import ACTIONS, LogFilter
from quart_enroll.forms.base import lazy, one_line, stripped
from quart_enroll.forms.tokens import DayField
from quart_enroll.i18n.language import gettext

NAMES_A_PERSON = [Optional(), one_line, Length(max=254, message=lazy("Use an email of at most 254 characters."))]


class AccessLogForm(Form):
    """Who opened whose record on which days, by the school's clock."""

    actor = StringField(lazy("Done by (email or ID)"), NAMES_A_PERSON, filters=[stripped])
    person = StringField(lazy("Person (email or ID)"), NAMES_A_PERSON, filters=[stripped])
    first_day = DayField(lazy("From"), [Optional()])
    last_day = DayField(lazy("Until"), [Optional()])

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Return the query parameters that the form reads."""
        return tuple(field.name for field in cls())

    @property
    def people(self) -> Mapping[str, str]:
        """What was entered for the people, by the name of the field, without fields that have an error."""
        return {name: self[name].data for name in ("actor", "person") if self[name].data and not self[name].errors}

    def validate_last_day(self, field: DayField) -> None:
        """Refuse a period that ends before it begins."""
        if self.first_day.data and field.data and field.data < self.first_day.data:
            raise ValidationError(gettext("Choose a day that isn’t before the first one."))

    def wanted(self, user_ids: Mapping[str, int]) -> LogFilter:
        """Return the filter; `user_ids` are those of the people."""
        return LogFilter(
            actor=user_ids.get("actor"),
            user_id=user_ids.get("person"),
            begins=self.first_day.start,
            ends=self.last_day.end,
        )


class AuditLogForm(AccessLogForm):
    """Who did what about whom on which days."""

    action = SelectField(
        lazy("Action"),
        choices=[SelectChoice("", lazy("Any")), *(SelectChoice(code, name) for code, name in ACTIONS.items())],
        validate_choice=False,
    )

    def wanted(self, user_ids: Mapping[str, int]) -> LogFilter:
        """Return the filter; an unknown action counts as none."""
        action = self.action.data if self.action.data in ACTIONS else ""
        return replace(super().wanted(user_ids), action=action)
