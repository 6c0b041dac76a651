"""The form that checks a section in an imported file."""

from typing import Any, ClassVar

from wtforms import Form, StringField, TextAreaField, ValidationError
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, NumberRange, Optional

from quart_enroll.domain import pools, restrictions, terms
from quart_enroll.domain.models import Consent, Section, SectionStatus
from quart_enroll.forms.base import lazy, lowered, one_line, several_lines, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import ImportRow, WholeNumberField, reads
from quart_enroll.forms.imports.courses import COURSE_ID, RESTRICTION
from quart_enroll.i18n.language import Sentence
from quart_enroll.services.catalog.import_sections import DEFAULT_WAITLIST_CAPACITY

MAX_SEATS = 100_000


def names_a_term(_: Form, field: Any) -> None:
    """Accept one term's name, or "Fall" for the next fall; which terms exist is not known here."""
    if len(terms.seasons(field.data)) > 1:
        raise ValidationError(lazy("Name one term, like Fall 2026."))


MAX_POOLS_CHARACTERS = 5000


def _are_pools(text: str) -> None:
    """Raise ValueError unless the text is a list of pools; a text that is too long isn't read."""
    if len(text) <= MAX_POOLS_CHARACTERS:
        pools.parse(text)


class SectionRow(ImportRow):
    """A section."""

    LISTS: ClassVar = {
        "meetings": (cells.meetings_text, Sentence("This must be a list of objects with days, start and end.")),
        "instructors": (cells.names_text, Sentence("This must be a list of emails or user_ids.")),
        "pools": (
            cells.pools_text,
            Sentence("This must be a list of objects with name, seats, restriction and, optionally, release."),
        ),
    }

    term = StringField(validators=[DataRequired(), one_line, names_a_term], filters=[stripped])
    courseID = StringField(validators=COURSE_ID, filters=[stripped])
    section = StringField(validators=[DataRequired(), one_line, Length(max=10)], filters=[stripped])
    capacity = WholeNumberField(validators=[InputRequired(), NumberRange(0, MAX_SEATS)])
    waitlist_capacity = WholeNumberField(validators=[Optional(), NumberRange(0, MAX_SEATS)])
    meetings = StringField(validators=[several_lines, reads(cells.meetings)])
    instructor = StringField(validators=[one_line, Length(max=100)], filters=[stripped])
    room = StringField(validators=[one_line, Length(max=50)], filters=[stripped])
    instructors = StringField(validators=[several_lines, reads(cells.people)])
    status = StringField(
        validators=[
            Optional(),
            AnyOf(list(SectionStatus), lazy("This must be active, tentative, closed or cancelled.")),
        ],
        filters=[stripped, lowered],
    )

    restriction = StringField(validators=RESTRICTION, filters=[stripped])
    consent = StringField(
        validators=[Optional(), AnyOf(list(Consent), lazy("This must be none, instructor or department."))],
        filters=[stripped, lowered],
    )
    pools = TextAreaField(validators=[several_lines, Length(max=MAX_POOLS_CHARACTERS), reads(_are_pools)])

    def read(self) -> Section:
        """Return the section that the row describes; its term may be a season alone."""
        waitlist_capacity = self.waitlist_capacity.data
        return Section(
            term=str(self.term.data),
            courseID=str(self.courseID.data),
            section=str(self.section.data),
            capacity=self.capacity.data or 0,
            waitlist_capacity=DEFAULT_WAITLIST_CAPACITY if waitlist_capacity is None else waitlist_capacity,
            meetings=cells.meetings(self.meetings.data or ""),
            instructor=self.instructor.data or "",
            room=self.room.data or "",
            status=SectionStatus(self.status.data or SectionStatus.ACTIVE),
            restriction=restrictions.to_text(restrictions.parse(self.restriction.data or "")),
            consent=Consent(self.consent.data or Consent.NONE),
            pools=pools.parse(self.pools.data or ""),
        )

    def read_instructors(self) -> tuple[str, ...]:
        """Return the email addresses or user_ids of the instructors."""
        return cells.people(self.instructors.data or "")
