"""The forms of the pages about terms and courses."""

from datetime import datetime
from typing import ClassVar

from wtforms import BooleanField, Form, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, InputRequired

from quart_enroll.domain.models import Course, RepeatAction, Term
from quart_enroll.forms.base import SiteForm, lazy, stripped
from quart_enroll.forms.imports.courses import CourseRow
from quart_enroll.forms.imports.terms import TermRow
from quart_enroll.forms.staff.rows import RESTRICTION_HELP, RowForm

ENTER_A_DAY = lazy("Enter a date, such as 2026-08-01.")
LAST_DAY = lazy("The last day, such as 2026-09-15, or a date and time, such as 2026-09-15T12:00.")


YES_OR_NO = {False: "no", True: "yes"}
"""How files and forms write it."""

YES_OR_NO_CHOICES = [SelectChoice("yes", lazy("Yes")), SelectChoice("no", lazy("No"))]


class CatalogForm(RowForm):
    """A form for a term or a course; `seen` identifies the row as it was when the form was shown."""

    seen = HiddenField()


class TermForm(CatalogForm):
    """Edit a term."""

    ROW: ClassVar = TermRow

    opens_at = StringField(
        lazy("Enrollment opens"),
        [DataRequired(ENTER_A_DAY)],
        filters=[stripped],
        description=lazy("A date, such as 2026-08-01, or a date and time, such as 2026-08-01T09:00."),
    )
    open_enrollment_at = StringField(
        lazy("Open enrollment begins"),
        filters=[stripped],
        description=lazy(
            "Only for terms with enrollment appointments. Until then, only students with an appointment may enroll; "
            "from then on, all students may."
        ),
    )
    add_deadline = StringField(
        lazy("Last day to enroll"), [DataRequired(ENTER_A_DAY)], filters=[stripped], description=LAST_DAY
    )
    drop_deadline = StringField(
        lazy("Last day to drop"), [DataRequired(ENTER_A_DAY)], filters=[stripped], description=LAST_DAY
    )
    withdraw_deadline = StringField(
        lazy("Last day to withdraw"), [DataRequired(ENTER_A_DAY)], filters=[stripped], description=LAST_DAY
    )
    starts_on = StringField(lazy("First day of classes"), filters=[stripped], description=lazy("Such as 2026-08-31."))
    ends_on = StringField(lazy("Last day of classes"), filters=[stripped], description=lazy("Such as 2026-12-11."))
    max_credits = StringField(lazy("Credit limit"), [InputRequired(lazy("Enter a number."))], filters=[stripped])
    in_progress_counts = SelectField(
        lazy("Courses in progress count as prerequisites"),
        choices=YES_OR_NO_CHOICES,
        default="yes",
        description=lazy("Whether a course of an earlier term counts before its grade is recorded."),
    )
    timezone = StringField(
        lazy("Time zone"),
        [DataRequired(lazy("Enter a time zone."))],
        filters=[stripped],
        description=lazy("Such as America/New_York or Europe/Berlin."),
    )

    @staticmethod
    def values_of(term: Term) -> dict[str, str]:
        """Return the values of the fields for the term."""
        return {
            "opens_at": _opening(term, term.opens_at),
            "open_enrollment_at": _opening(term, term.open_enrollment_at) if term.open_enrollment_at else "",
            "add_deadline": _deadline(term, term.add_deadline),
            "drop_deadline": _deadline(term, term.drop_deadline),
            "withdraw_deadline": _deadline(term, term.withdraw_deadline),
            "starts_on": str(term.starts_on or ""),
            "ends_on": str(term.ends_on or ""),
            "max_credits": f"{term.max_credits:g}",
            "in_progress_counts": YES_OR_NO[term.in_progress_counts],
            "timezone": term.timezone,
        }


class NewTermForm(TermForm):
    """Add a term."""

    term = StringField(
        lazy("Name"),
        [DataRequired(lazy("Enter a name."))],
        filters=[stripped],
        description=lazy("Such as Fall 2026, or your school’s own name for it."),
    )


class CourseForm(CatalogForm):
    """Edit a course."""

    ROW: ClassVar = CourseRow

    title = StringField(lazy("Title"), [DataRequired(lazy("Enter a title."))], filters=[stripped])
    description = TextAreaField(lazy("Description"), filters=[stripped], render_kw={"rows": 4})
    credits = StringField(lazy("Credits"), [InputRequired(lazy("Enter a number from 0 to 30."))], filters=[stripped])
    term = StringField(
        lazy("Offered in"),
        [DataRequired(lazy("Enter seasons or terms, such as Fall, Spring."))],
        filters=[stripped],
        description=lazy("Seasons or terms, separated by commas, such as Fall, Spring."),
    )
    subject = StringField(lazy("Subject"), filters=[stripped])
    prerequisites = StringField(
        lazy("Prerequisites"), filters=[stripped], description=lazy("Course numbers, separated by spaces.")
    )
    requisite = StringField(
        lazy("Prerequisites with alternatives"),
        filters=[stripped],
        description=lazy(
            "Course numbers with “and”, “or” and parentheses, such as (MAT 115 or MAT 120) and ENG 101. "
            "After a course, write “with C or better” to require a minimum grade, or “concurrently” if it may also be "
            "taken in the same term. You can also write 60 credits, Junior standing, Math placement of 70, or "
            "permission (of the instructor). Students need these in addition to the prerequisites above."
        ),
    )
    corequisites = StringField(
        lazy("Corequisites"), filters=[stripped], description=lazy("Course numbers, separated by spaces.")
    )

    restriction = StringField(lazy("Restrictions"), filters=[stripped], description=RESTRICTION_HELP)
    equivalents = StringField(
        lazy("Equivalent courses"),
        filters=[stripped],
        description=lazy("Course numbers, separated by spaces. Where this course is required, these count as well."),
    )
    max_attempts = StringField(
        lazy("Maximum number of attempts"),
        filters=[stripped],
        description=lazy(
            "The number of terms in which a student can take the course, such as 2. Leave it empty for no limit."
        ),
    )
    withdrawals_count = SelectField(
        lazy("Withdrawals count as attempts"),
        choices=YES_OR_NO_CHOICES,
        default="no",
    )
    repeat_action = SelectField(
        lazy("When the maximum is reached"),
        choices=[
            SelectChoice(str(RepeatAction.REFUSE), lazy("Refuse the student")),
            SelectChoice(str(RepeatAction.WARN), lazy("Warn the student")),
        ],
        default=str(RepeatAction.REFUSE),
    )

    @staticmethod
    def values_of(course: Course) -> dict[str, str]:
        """Return the values of the fields for the course."""
        return {
            "title": course.title,
            "description": course.description,
            "credits": f"{course.credits:g}",
            "term": course.term,
            "subject": course.subject,
            "prerequisites": " ".join(course.prerequisites),
            "corequisites": " ".join(course.corequisites),
            "requisite": course.requisite,
            "restriction": course.restriction,
            "max_attempts": str(course.max_attempts or ""),
            "withdrawals_count": YES_OR_NO[course.withdrawals_count],
            "repeat_action": str(course.repeat_action),
            "equivalents": " ".join(course.equivalents),
        }


class NewCourseForm(CourseForm):
    """Add a course."""

    courseID = StringField(  # the stored name
        lazy("Course number"), [DataRequired(lazy("Enter a number."))], filters=[stripped]
    )


ENROLLMENT_FILTERS = {"coming": lazy("Not open yet"), "open": lazy("Open now"), "over": lazy("Closed")}
"""Whether students can enroll in a term: its choices in the list of terms."""


class TermListForm(Form):
    """The filters of the list of terms."""

    q = StringField(lazy("Search"), filters=[stripped], description=lazy("Name"))
    enrollment = SelectField(
        lazy("Enrollment"),
        choices=[
            SelectChoice("", lazy("Any")),
            *(SelectChoice(key, name) for key, name in ENROLLMENT_FILTERS.items()),
        ],
        validate_choice=False,
    )


class CourseListForm(Form):
    """The filters of the list of courses."""

    q = StringField(lazy("Search"), filters=[stripped], description=lazy("Number, title or description"))
    subject = SelectField(lazy("Subject"), validate_choice=False)


class RollForm(SiteForm):
    """Copy the sections of a term into another."""

    source = SelectField(lazy("From"), validate_choice=False)
    target = SelectField(lazy("Into"), validate_choice=False)
    with_instructors = BooleanField(lazy("Copy the instructors too"))
    as_tentative = BooleanField(
        lazy("Make the copies tentative"), description=lazy("Only staff see them until you change their status.")
    )
    confirmed = HiddenField()


def _opening(term: Term, moment: datetime) -> str:
    local = term.local(moment)
    return local.date().isoformat() if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%dT%H:%M}"


def _deadline(term: Term, deadline: datetime) -> str:
    day = term.day_ending_at(deadline)
    return day.isoformat() if day else f"{term.local(deadline):%Y-%m-%dT%H:%M}"
