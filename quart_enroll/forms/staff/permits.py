"""The forms about permits: one to grant for a section or on a student's record, and one to revoke."""

from collections.abc import Collection

from wtforms import SelectMultipleField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length, Optional

from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.permits import MAX_TEXT_LENGTH, Permit
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.forms.staff.logs import NAMES_A_PERSON
from quart_enroll.forms.staff.students import SectionChoiceForm
from quart_enroll.forms.tokens import DayField, today
from quart_enroll.i18n.language import gettext

TEXT = [one_line, Length(max=MAX_TEXT_LENGTH, message=lazy("Use at most 200 characters."))]


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
    reason = StringField(
        lazy("Reason"),
        [DataRequired(lazy("Enter a reason.")), *TEXT],
        filters=[stripped],
        description=lazy("Only staff see it."),
    )

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


class RevokePermitForm(SiteForm):
    """Revoke a permit."""

    reason = StringField(
        lazy("Reason"),
        [DataRequired(lazy("Enter a reason.")), *TEXT],
        filters=[stripped],
        description=lazy("Only staff see it, in the audit log."),
    )
