"""The form that checks a course in an imported file."""

import re
from typing import Any, ClassVar

from wtforms import Form, StringField, TextAreaField, ValidationError
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, NumberRange, Optional

from quart_enroll.domain import requisite_parser, requisites, restrictions
from quart_enroll.domain.folding import visible
from quart_enroll.domain.models import Course, RepeatAction
from quart_enroll.forms.base import lazy, lowered, one_line, several_lines, stripped
from quart_enroll.forms.imports import cells
from quart_enroll.forms.imports.base import ImportRow, WholeNumberField, number, reads
from quart_enroll.i18n.language import Sentence

RESERVED_PREFIX = "v1/"
"""The prefix below /api/ of the URLs of the current API, with which no course number may begin; the other URLs are
those of the Flask site's API."""


def _fits_in_a_url(_: Form, field: Any) -> None:
    """Refuse a number that can't be part of a URL."""
    number = field.data or ""
    if visible(number) != number:
        raise ValidationError(lazy("This number has invisible characters. Type it again."))
    if {"", ".", ".."}.intersection(number.split("/")):  # browsers drop such parts from a URL
        raise ValidationError(
            lazy("A course number can’t begin or end with a slash, or have nothing or only dots between slashes.")
        )
    if number.startswith(RESERVED_PREFIX):
        raise ValidationError(
            lazy("A course number can’t begin with %(prefix)s, which is reserved for the API.", prefix=RESERVED_PREFIX)
        )


MAX_REQUISITE_CHARACTERS = 500

COURSE_ID = [DataRequired(), one_line, Length(max=20)]
NEW_COURSE_ID = [*COURSE_ID, _fits_in_a_url]


def _separated_by_commas(_: Form, field: Any) -> None:
    if re.search("[;|]", field.data or ""):
        raise ValidationError(lazy("Separate seasons with commas, like Fall, Spring."))


def _are_course_ids(text: str) -> None:
    if any(len(name) > 20 for name in cells.courseIDs(text)):
        raise ValueError(Sentence("A courseID can have at most 20 characters."))


def _is_credits(_: Form, field: Any) -> None:
    if not re.fullmatch(r"\d{1,2}(\.\d{1,2})?", field.data or "", re.ASCII) or float(field.data) > 30:
        raise ValidationError(lazy("This must be a number from 0 to 30."))


def _is_requisite(text: str) -> None:
    """Raise ValueError unless the text is a requisite that can also be edited in its usual spelling.

    A text that is too long isn't read: a cell of a file may have millions of words, and `Length` refuses it anyway.
    """
    if len(text) > MAX_REQUISITE_CHARACTERS:
        return
    if len(requisites.to_text(requisite_parser.parse(text))) > MAX_REQUISITE_CHARACTERS:
        raise ValueError(
            Sentence(
                "Written out in full, this is longer than %(limit)s characters. Shorten it.",
                limit=MAX_REQUISITE_CHARACTERS,
            )
        )


MAX_RESTRICTION_CHARACTERS = 500


def _is_restriction(text: str) -> None:
    """Raise ValueError unless the text is a restriction; a text that is too long isn't read."""
    if len(text) <= MAX_RESTRICTION_CHARACTERS:
        restrictions.parse(text)


RESTRICTION = [one_line, Length(max=MAX_RESTRICTION_CHARACTERS), reads(_is_restriction)]


class CourseRow(ImportRow):
    A_LIST = (cells.courseIDs_text, Sentence("This must be a list of courseIDs."))
    LISTS: ClassVar = {"prerequisites": A_LIST, "corequisites": A_LIST, "equivalents": A_LIST}
    FLAGS = frozenset({"withdrawals_count"})

    courseID = StringField(validators=NEW_COURSE_ID, filters=[stripped])
    title = StringField(validators=[DataRequired(), one_line, Length(max=100)], filters=[stripped])
    description = TextAreaField(validators=[Length(max=2000), several_lines], filters=[stripped])
    credits = StringField(validators=[InputRequired(), _is_credits], filters=[stripped])
    term = StringField(validators=[DataRequired(), one_line, Length(max=100), _separated_by_commas], filters=[stripped])
    subject = StringField(validators=[one_line, Length(max=50)], filters=[stripped])
    prerequisites = StringField(validators=[reads(_are_course_ids)])
    corequisites = StringField(validators=[reads(_are_course_ids)])
    requisite = StringField(
        validators=[one_line, Length(max=MAX_REQUISITE_CHARACTERS), reads(_is_requisite)], filters=[stripped]
    )

    restriction = StringField(validators=RESTRICTION, filters=[stripped])
    max_attempts = WholeNumberField(validators=[Optional(), NumberRange(1, 20)])
    withdrawals_count = StringField(validators=[Optional(), reads(cells.yes_or_no)])
    repeat_action = StringField(
        validators=[Optional(), AnyOf(list(RepeatAction), lazy("This must be refuse or warn."))],
        filters=[stripped, lowered],
    )

    equivalents = StringField(validators=[reads(_are_course_ids)])

    def course(self) -> Course:
        """Return the course that the row describes."""
        return Course(
            courseID=self.courseID.data or "",
            title=self.title.data or "",
            description=self.description.data or "",
            credits=number(self.credits),
            term=self.term.data or "",
            subject=self.subject.data or "",
            prerequisites=cells.courseIDs(self.prerequisites.data or ""),
            corequisites=cells.courseIDs(self.corequisites.data or ""),
            requisite=self.requisite.data or "",
            restriction=self.restriction.data or "",
            max_attempts=self.max_attempts.data or 0,
            withdrawals_count=cells.yes_or_no(self.withdrawals_count.data or "no"),
            repeat_action=RepeatAction(self.repeat_action.data or RepeatAction.REFUSE),
            equivalents=cells.courseIDs(self.equivalents.data or ""),
        )
