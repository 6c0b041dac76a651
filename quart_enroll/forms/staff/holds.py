"""The forms about holds: the types, a hold to place or lift, and the filters of the list."""

from collections.abc import Iterable
from typing import Any

from wtforms import Form, SelectField, SelectMultipleField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, Length, Optional

from quart_enroll.domain.holds import MAX_NAME_LENGTH, MAX_TEXT_LENGTH, Hold, HoldBlock, HoldFilter, HoldType
from quart_enroll.forms.base import SiteForm, lazy, offered, one_line, stripped
from quart_enroll.forms.staff.logs import NAMES_A_PERSON
from quart_enroll.forms.tokens import DayField, today
from quart_enroll.i18n.language import gettext

SHORT_TEXT = [one_line, Length(max=MAX_NAME_LENGTH, message=lazy("Use at most 60 characters."))]
TEXT = [one_line, Length(max=MAX_TEXT_LENGTH, message=lazy("Use at most 200 characters."))]


class HoldTypeForm(SiteForm):
    """Define a type of hold."""

    name = StringField(
        lazy("Name"),
        [DataRequired(lazy("Enter a name.")), *SHORT_TEXT],
        filters=[stripped],
        description=lazy("Students see it, such as “Bursar hold”."),
    )
    office = StringField(
        lazy("Office"),
        [DataRequired(lazy("Enter the office that places these holds.")), *SHORT_TEXT],
        filters=[stripped],
        description=lazy("Such as “Bursar’s Office”."),
    )
    contact = StringField(
        lazy("Contact"),
        [DataRequired(lazy("Enter how students reach the office.")), *TEXT],
        filters=[stripped],
        description=lazy("An email, a phone number or a room."),
    )
    blocks = SelectMultipleField(lazy("What it blocks"), validate_choice=False)

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.blocks.choices = [SelectChoice(one.value, str(one.label)) for one in HoldBlock]

    @property
    def chosen_blocks(self) -> frozenset[HoldBlock]:
        """The chosen changes; unknown ones are ignored."""
        return frozenset(one for one in HoldBlock if one in (self.blocks.data or ()))

    def validate_blocks(self, field: SelectMultipleField) -> None:
        """Require something that the hold blocks."""
        if not self.chosen_blocks:
            raise ValidationError(gettext("Choose at least one."))

    def hold_type(self) -> HoldType:
        """Return the type; without the field for it, the type has no name."""
        name = self.name.data if "name" in self else ""
        return HoldType(name or "", self.office.data or "", self.contact.data or "", self.chosen_blocks)


class PlaceHoldForm(SiteForm):
    """Place a hold on a student."""

    type = SelectField(lazy("Type"), [offered(lazy("Choose a type."))], validate_choice=False)
    reason = StringField(
        lazy("Reason"),
        [DataRequired(lazy("Enter a reason. The student will see it.")), *TEXT],
        filters=[stripped],
        description=lazy("The student sees it, together with the office and how to reach it."),
    )
    begins_on = DayField(lazy("First day"), [Optional()], description=lazy("Without one, it takes effect at once."))
    ends_on = DayField(lazy("Last day"), [Optional()], description=lazy("Without one, it lasts until it’s lifted."))

    def offer_types(self, types: Iterable[HoldType]) -> None:
        """Offer these types."""
        self.type.choices = [SelectChoice(one.name, one.name) for one in types]

    def validate_ends_on(self, field: DayField) -> None:
        """Refuse a period that is over, or that ends before it begins."""
        if field.data and field.data < (self.begins_on.data or today()):
            raise ValidationError(gettext("Choose a day that isn’t before the first one."))
        if field.data and field.data < today():
            raise ValidationError(gettext("Choose today or a later day."))

    def hold(self, types: Iterable[HoldType]) -> Hold:
        """Return the hold, of one of the types that were offered."""
        [chosen] = [one for one in types if one.name == self.type.data]
        return chosen.hold(self.reason.data or "", self.begins_on.start, self.ends_on.end)


class LiftHoldForm(SiteForm):
    """Lift a hold."""

    reason = StringField(
        lazy("Reason"),
        [DataRequired(lazy("Enter a reason.")), *TEXT],
        filters=[stripped],
        description=lazy("Only staff see it, on the student’s record and in the audit log."),
    )


class HoldListForm(Form):
    """The filters of the list of holds; an unknown choice counts as none."""

    person = StringField(lazy("Student (email or ID)"), NAMES_A_PERSON, filters=[stripped])
    type = SelectField(lazy("Type"), validate_choice=False)
    state = SelectField(
        lazy("State"),
        choices=[
            SelectChoice("", lazy("Any")),
            SelectChoice("current", lazy("Not lifted")),
            SelectChoice("lifted", lazy("Lifted or ended")),
        ],
        validate_choice=False,
    )

    def offer_types(self, types: Iterable[HoldType]) -> None:
        """Offer these types."""
        self.type.choices = [SelectChoice("", lazy("Any")), *(SelectChoice(one.name, one.name) for one in types)]

    def wanted(self, user_id: int | None) -> HoldFilter:
        """Return the filter, with the user_id of the student whom the form names."""
        return HoldFilter.of(user_id, self.type.data or "", self.state.data or "")
