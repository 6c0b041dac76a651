"""The forms for people: the filters of the list, and the values that registrars set for a person."""

from collections.abc import Iterable
from typing import Any, cast

from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.validators import Length

from quart_enroll.domain.models import PeopleFilter, Profile
from quart_enroll.domain.roles import ROLE_NAMES, STAFF_ROLES, Role, read_roles
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES, StudentAttributes, StudentStatus
from quart_enroll.forms.attributes import (
    ATTRIBUTE,
    ATTRIBUTE_LIST,
    EARNED_CREDITS,
    PLACEMENTS,
    attribute_texts,
    read_attributes,
)
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.search import choices
from quart_enroll.forms.staff.students import StudentListForm
from quart_enroll.i18n.language import gettext

MAX_ADVISORS = 10

NO_CSRF = {"csrf": False}
"""For API programs, whose token proves that no other site sent the request."""

ROLE_LABELS: dict[str, str | None] = {role.value: cast(str, ROLE_NAMES[role]) for role in Role}


class PeopleForm(StudentListForm):
    """The search and the filters of the list of people; an unknown choice counts as none."""

    role = SelectField(
        lazy("Role"),
        choices=choices({"": lazy("Any"), "staff": lazy("All staff")} | ROLE_LABELS),
        validate_choice=False,
    )

    def wanted(self, order: str, *, descending: bool, with_opted_out: bool) -> PeopleFilter:
        """Return the people to list, sorted by the column `order`."""
        return PeopleFilter(
            words=self.words,
            roles=STAFF_ROLES if self.role.data == "staff" else read_roles([self.role.data]),
            order="user_id" if order == "user_id" else "name",
            descending=descending,
            with_opted_out=with_opted_out,
        )


class PersonForm(SiteForm):
    """The values that registrars set for a person; `seen` identifies those that the form showed."""

    seen = HiddenField()
    roles = SelectMultipleField(lazy("Roles"), choices=choices(ROLE_LABELS))
    subjects = SelectMultipleField(
        lazy("Subjects"), choices=[], description=lazy("A scheduler can change the sections of these subjects.")
    )
    advisors = StringField(
        lazy("Advisors"),
        [one_line, Length(max=1000, message=lazy("Use at most 1,000 characters."))],
        filters=[stripped],
        description=lazy("The emails or IDs of the student’s advisors, separated by spaces."),
    )
    directory_opt_out = BooleanField(
        lazy("Opted out of the directory"),
        description=lazy("Rosters mark the student’s name, and downloaded files leave the student out."),
    )
    status = SelectField(
        lazy("Status"),
        choices=choices({str(one): cast(str, one.label) for one in StudentStatus}),
        default=str(StudentStatus.ACTIVE),
        description=lazy("Only active students can enroll or join waitlists."),
    )
    programs = StringField(
        lazy("Programs"),
        ATTRIBUTE_LIST,
        filters=[stripped],
        description=lazy("Separated by semicolons, such as Nursing; Biology."),
    )
    level = StringField(
        lazy("Level"), ATTRIBUTE, filters=[stripped], description=lazy("Such as Undergraduate or Graduate.")
    )
    standing = StringField(
        lazy("Standing"), ATTRIBUTE, filters=[stripped], description=lazy("Such as First-year or Senior.")
    )
    cohorts = StringField(
        lazy("Cohorts"), ATTRIBUTE_LIST, filters=[stripped], description=lazy("Separated by semicolons.")
    )
    campus = StringField(lazy("Campus"), ATTRIBUTE, filters=[stripped])
    earned_credits = StringField(lazy("Earned credits"), EARNED_CREDITS, filters=[stripped])
    placements = StringField(
        lazy("Placement scores"),
        PLACEMENTS,
        filters=[stripped],
        description=lazy("Separated by semicolons, such as Math 70; Spanish 4."),
    )

    @classmethod
    async def for_subjects(cls, offered: Iterable[str], **values: Any) -> "PersonForm":
        """Fill in the form, which offers these subjects."""
        form = await cls.from_request(**values)
        form.subjects.choices = choices(dict.fromkeys(offered))
        return form

    @classmethod
    def of_profile(cls, profile: Profile, offered: Iterable[str]) -> "PersonForm":
        """Return the form for a program that sends a whole profile; it offers these subjects."""
        sent = [("roles", role.value) for role in profile.roles] + [("subjects", one) for one in profile.subjects]
        sent.append(("advisors", " ".join(map(str, profile.advisors))))
        sent += attribute_texts(profile.attributes).items()
        form = cls(
            MultiDict([*sent, *([("directory_opt_out", "y")] if profile.directory_opt_out else [])]), meta=NO_CSRF
        )
        form.subjects.choices = choices(dict.fromkeys(sorted(offered)))
        return form

    def attributes(self, before: StudentAttributes) -> StudentAttributes:
        """Return the attributes; those that the form wasn't sent with stay as they were `before`."""
        sent = {name: self[name].data or "" for name in ATTRIBUTE_NAMES if self[name].raw_data}
        return read_attributes(attribute_texts(before) | sent)

    @property
    def chosen_roles(self) -> frozenset[Role]:
        return read_roles(self.roles.data or ())

    @property
    def advisor_names(self) -> tuple[str, ...]:
        return cells.advisors(self.advisors.data or "")

    def validate_roles(self, field: Field) -> None:
        """Refuse a person without any role."""
        if not field.data:
            raise ValidationError(gettext("Choose at least one role."))

    def validate_subjects(self, field: Field) -> None:
        """Refuse a scheduler without subjects, and subjects for anyone else."""
        is_scheduler = Role.SCHEDULER in self.chosen_roles
        if is_scheduler and not field.data:
            raise ValidationError(gettext("Choose the subjects of this scheduler."))
        if field.data and not is_scheduler:
            raise ValidationError(
                gettext("Only schedulers have subjects. Choose the role Scheduler, or remove the subjects.")
            )

    def validate_advisors(self, field: Field) -> None:
        """Refuse advisors of a person who is not a student."""
        if field.data and Role.STUDENT not in self.chosen_roles:
            raise ValidationError(
                gettext("Only students have advisors. Choose the role Student, or remove the advisors.")
            )
        if len(self.advisor_names) > MAX_ADVISORS:
            raise ValidationError(gettext("Enter at most %(number)s advisors.", number=MAX_ADVISORS))
