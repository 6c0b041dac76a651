"""The forms about permits: one to grant for a section or on a student's record, and one to revoke."""

from collections.abc import Collection
from secrets import token_hex

from wtforms import HiddenField, SelectField, SelectMultipleField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.permission_numbers import MAX_NUMBERS_PER_BATCH, write_code
from quart_enroll.domain.permits import MAX_TEXT_LENGTH, Permit
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.forms.staff.logs import NAMES_A_PERSON
from quart_enroll.forms.staff.students import SectionChoiceForm
from quart_enroll.forms.tokens import DayField, today
from quart_enroll.i18n.language import gettext

ALL_NUMBERS = "all"
"""Chooses every unused permission number; a code is longer."""

TEXT = [one_line, Length(max=MAX_TEXT_LENGTH, message=lazy("Use at most 200 characters."))]


def _reason(description: str) -> StringField:
    checks = [DataRequired(lazy("Enter a reason.")), *TEXT]
    return StringField(lazy("Reason"), checks, filters=[stripped], description=description)


class StudentForm(SiteForm):
    """Name a student."""

    student = StringField(
        lazy("Student (email or ID)"),
        [DataRequired(lazy("Enter the student’s email or ID.")), *NAMES_A_PERSON[1:]],
        filters=[stripped],
    )


class CourseOrSectionForm(SectionChoiceForm):
    """Name a section, or a whole course."""

    section = StringField(
        lazy("Section"), TEXT, filters=[stripped], description=lazy("Leave empty for all sections of the course.")
    )

    @property
    def key(self) -> SectionKey:
        """The section that the form names; its number is empty for a whole course."""
        return SectionKey(self.term.data or "", self.courseID.data or "", self.section.data or "")


class OverridesUntilForm(SiteForm):
    """What staff set aside, until when, and why."""

    overrides = SelectMultipleField(lazy("What it allows"), validate_choice=False)
    ends_on = DayField(lazy("Last day"), [Optional()], description=lazy("Without one, it doesn’t expire."))
    reason = _reason(lazy("Only staff see it."))

    _offered: tuple[Override, ...] = ()

    def offer_overrides(self, overrides: Collection[Override]) -> None:
        """Offer these overrides."""
        self._offered = tuple(overrides)
        self.overrides.choices = [SelectChoice(one.value, str(one.label)) for one in overrides]

    @property
    def chosen_overrides(self) -> frozenset[Override]:
        """The chosen overrides that are offered."""
        return frozenset(one for one in self._offered if one in (self.overrides.data or ()))

    def validate_overrides(self, field: SelectMultipleField) -> None:
        """Require at least one of the offered overrides."""
        if not self.chosen_overrides:
            raise ValidationError(gettext("Choose at least one."))

    def validate_ends_on(self, field: DayField) -> None:
        """Refuse a day in the past."""
        if field.data and field.data < today():
            raise ValidationError(gettext("Choose today or a later day."))

    def permit(self, key: SectionKey) -> Permit:
        """Return the permit for the section; for one without a number, for the whole course."""
        return Permit("", key.term, key.courseID, key.section, self.chosen_overrides, self.ends_on.end)


class SectionPermitForm(StudentForm, OverridesUntilForm):
    """Grant a permit for a section."""


class StudentPermitForm(CourseOrSectionForm, OverridesUntilForm):
    """Grant a student a permit for a section, or for a whole course."""


class PermissionNumbersForm(OverridesUntilForm):
    """Create permission numbers; `button` identifies the button, which creates them only once."""

    button = HiddenField(validators=[one_line, Length(max=64)], default=token_hex)
    number = StringField(
        lazy("How many"), filters=[stripped], default="10", render_kw={"inputmode": "numeric", "maxlength": 3}
    )
    ends_on = DayField(lazy("Last day"), [InputRequired(lazy("Choose the last day."))])
    reason = _reason(lazy("Only staff see it."))  # again, because the fields are in this order

    def validate_number(self, field: StringField) -> None:
        """Require a number from 1 to MAX_NUMBERS_PER_BATCH."""
        text = field.data or ""
        if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_NUMBERS_PER_BATCH):
            raise ValidationError(gettext("Enter a number from 1 to %(most)s.", most=MAX_NUMBERS_PER_BATCH))


class RevokeNumbersForm(SiteForm):
    """Revoke one of a section's unused permission numbers, or all of them."""

    which = SelectField(lazy("Which"), [InputRequired(lazy("Choose which to revoke."))], validate_choice=False)
    reason = _reason(lazy("Only staff see it, in the audit log."))

    def offer(self, codes: Collection[str]) -> None:
        """Offer these codes."""
        self.which.choices = [
            SelectChoice("", ""),
            SelectChoice(ALL_NUMBERS, gettext("All unused permission numbers")),
            *(SelectChoice(one, write_code(one)) for one in codes),
        ]

    def codes(self, offered: Collection[str]) -> Collection[str]:
        """Return the chosen ones of the offered codes."""
        return [one for one in offered if self.which.data in (ALL_NUMBERS, one)]


class RevokePermitForm(SiteForm):
    """Revoke a permit."""

    reason = _reason(lazy("Only staff see it, in the audit log."))
