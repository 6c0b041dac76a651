"""The forms of the pages about sections."""

from typing import ClassVar

from wtforms import Form, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types
from wtforms.validators import DataRequired, InputRequired, Length

from quart_enroll.domain import pools
from quart_enroll.domain.models import Consent, Section, SectionStatus
from quart_enroll.domain.section_edits import CONSENT_NAMES, STATUS_NAMES
from quart_enroll.forms.base import SiteForm, lazy, one_line, stripped
from quart_enroll.forms.imports.sections import SectionRow
from quart_enroll.forms.staff.rows import RESTRICTION_HELP, RowForm

EDITED_STATUSES = (SectionStatus.ACTIVE, SectionStatus.TENTATIVE, SectionStatus.CLOSED)
"""A section is canceled on a page of its own."""

MAX_REVISION_DIGITS = 15

SEAT_FILTERS = {"open": lazy("Open seats"), "full": lazy("Full"), "waiting": lazy("Students waiting")}


class SeenRevision:
    """Part of a form for a section that knows which revision of it the editor saw."""

    revision = HiddenField(default="0")

    @property
    def seen_revision(self) -> int:
        """The revision; -1, which no section has, for invalid text."""
        text = self.revision.data or ""
        return int(text) if text.isdecimal() and len(text) <= MAX_REVISION_DIGITS else -1


class SectionForm(SeenRevision, RowForm):
    """Edit a section."""

    ROW: ClassVar = SectionRow

    capacity = StringField(
        lazy("Capacity"),
        [InputRequired(lazy("Enter the number of seats."))],
        filters=[stripped],
        render_kw={"inputmode": "numeric"},
    )
    waitlist_capacity = StringField(
        lazy("Places on the waitlist"),
        [InputRequired(lazy("Enter the number of places, or 0 for no waitlist."))],
        filters=[stripped],
        render_kw={"inputmode": "numeric"},
    )
    meetings = StringField(
        lazy("Meeting times"),
        filters=[stripped],
        description=lazy(
            "Such as MWF 09:00-09:50; R 14:00-15:15, where R is Thursday. Leave it empty if there are no fixed times."
        ),
    )
    room = StringField(lazy("Room"), filters=[stripped])
    instructor = StringField(lazy("Instructor"), filters=[stripped], description=lazy("The name that students see."))
    instructors = StringField(
        lazy("Instructor accounts"),
        filters=[stripped],
        description=lazy("Emails, separated by spaces. These people can see the roster."),
    )
    status = SelectField(
        lazy("Status"),
        choices=[SelectChoice(str(one), STATUS_NAMES[one]) for one in EDITED_STATUSES],
        default=str(SectionStatus.ACTIVE),
        description=lazy(
            "Only staff see a tentative section. Nobody can get a seat in a closed one, not even from the waitlist."
        ),
    )

    restriction = StringField(lazy("Restrictions"), filters=[stripped], description=RESTRICTION_HELP)
    consent = SelectField(
        lazy("Consent to enroll"),
        choices=[SelectChoice(str(one), name) for one, name in CONSENT_NAMES.items()],
        default=str(Consent.NONE),
        description=lazy(
            "Students need it to enroll and to join the waitlist. Schedulers and registrars can give either kind."
        ),
    )
    pools = TextAreaField(
        lazy("Reserved seats"),
        filters=[stripped],
        description=lazy(
            "One pool per line, such as Nursing majors: 10 for program: Nursing until 2026-08-15. The group is written "
            "like a restriction. Students take seats from the first pool that admits them. Without a date, the seats "
            "stay reserved."
        ),
        render_kw={"rows": 3},
    )

    @staticmethod
    def values_of(section: Section, emails: list[str]) -> dict[str, str]:
        """Return the values of the fields for the section; `emails` are those of its instructors."""
        return {
            "revision": str(section.revision),
            "capacity": str(section.capacity),
            "waitlist_capacity": str(section.waitlist_capacity),
            "meetings": "; ".join(f"{one.days} {one.start}-{one.end}" for one in section.meetings),
            "room": section.room,
            "instructor": section.instructor,
            "instructors": " ".join(emails),
            "status": str(section.status),
            "restriction": section.restriction,
            "consent": str(section.consent),
            "pools": pools.to_text(section.pools),
        }


class NewSectionForm(SectionForm):
    """Add a section, in an existing term to an existing course."""

    term = SelectField(lazy("Term"), validate_choice=False)
    courseID = StringField(  # the stored name
        lazy("Course number"), [DataRequired(lazy("Enter the course number."))], filters=[stripped]
    )
    section = StringField(lazy("Section number"), [DataRequired(lazy("Enter a number."))], filters=[stripped])


class CancelForm(SeenRevision, SiteForm):
    """Cancel a section."""

    reason = StringField(
        lazy("Reason"),
        [
            DataRequired(lazy("Enter a reason. It’s kept in the audit log.")),
            one_line,
            Length(max=200, message=lazy("Use at most 200 characters.")),
        ],
        filters=[stripped],
        description=lazy("It’s kept in the audit log; students don’t see it."),
    )


class SectionListForm(Form):
    """The filters of the list of sections."""

    q = StringField(lazy("Search"), filters=[stripped], description=lazy("Course, title, instructor or room"))
    term = SelectField(lazy("Term"), validate_choice=False)
    subject = SelectField(lazy("Subject"), validate_choice=False)
    status = SelectField(
        lazy("Status"),
        choices=[SelectChoice("", lazy("Any")), *(SelectChoice(str(one), name) for one, name in STATUS_NAMES.items())],
        validate_choice=False,
    )
    seats = SelectField(
        lazy("Seats"),
        choices=[SelectChoice("", lazy("Any")), *(SelectChoice(key, name) for key, name in SEAT_FILTERS.items())],
        validate_choice=False,
    )
