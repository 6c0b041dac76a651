"""The audit log, which has every change by staff, and the access log, which has the records and rosters they opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.i18n.language import Sentence

ACTIONS: Mapping[str, Sentence] = {
    "export": Sentence("List exported"),
    "import": Sentence("File imported"),
    "roles.set": Sentence("Roles changed"),
    "subjects.set": Sentence("Subjects changed"),
    "advisors.set": Sentence("Advisors changed"),
    "directory.set": Sentence("Directory setting changed"),
    "attributes.set": Sentence("Student attributes changed"),
    "removal.grant": Sentence("Account removed"),
    "removal.decline": Sentence("Account removal declined"),
    "term.add": Sentence("Term added"),
    "term.edit": Sentence("Term edited"),
    "term.roll": Sentence("Sections copied to another term"),
    "course.add": Sentence("Course added"),
    "course.edit": Sentence("Course edited"),
    "section.add": Sentence("Section added"),
    "section.edit": Sentence("Section edited"),
    "section.cancel": Sentence("Section canceled"),
    "roster.email": Sentence("Email sent to a section’s students"),
    "student.add": Sentence("Student enrolled"),
    "student.drop": Sentence("Student dropped"),
    "student.withdraw": Sentence("Student withdrawn"),
    "student.swap": Sentence("Student swapped into another course"),
    "student.join": Sentence("Student added to a waitlist"),
    "student.leave": Sentence("Student removed from a waitlist"),
    "student.move": Sentence("Student’s waitlist position changed"),
    "hold.place": Sentence("Hold placed"),
    "hold.lift": Sentence("Hold lifted"),
    "permit.grant": Sentence("Permit granted"),
    "permit.revoke": Sentence("Permit revoked"),
    "appointment.assign": Sentence("Enrollment appointment assigned"),
    "appointment.remove": Sentence("Enrollment appointment removed"),
    "numbers.add": Sentence("Permission numbers created"),
    "numbers.revoke": Sentence("Permission numbers revoked"),
    "numbers.use": Sentence("Permission number used"),
    "consent.request": Sentence("Consent requested"),
    "consent.withdraw": Sentence("Request for consent withdrawn"),
    "consent.give": Sentence("Consent given"),
    "consent.decline": Sentence("Consent declined"),
    "hold_type.save": Sentence("Type of hold saved"),
    "hold_type.remove": Sentence("Type of hold removed"),
    "view.begin": Sentence("Started viewing as a student"),
    "view.end": Sentence("Stopped viewing as a student"),
    "token.add": Sentence("Staff access token created"),
}
"""Everything that staff can do, by the action of its entries."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field with its value before and after, as text."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class About:
    """What a change is about: its `kind`, such as "section", and the fields that name it; the others are empty.

    `name` is for things without a term or course, such as an exported list.
    """

    kind: str
    term: str = ""
    courseID: str = ""
    section: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change that staff made: who, when, which of ACTIONS, and what it is `about`.

    That a student used a permission number is one too: it makes the change that staff prepared. So is a request for
    consent, about which staff decide.
    `user_id` is the person it concerns, if any. `overrides` are the rules that were set aside.
    """

    at: datetime
    actor: int
    action: str
    about: About
    user_id: int | None = None
    reason: str = ""
    overrides: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """An opened student record: who opened it, when, whose it is, and on which `page` (its endpoint).

    For a roster, there is no `user_id`, and `about` names the section.
    """

    at: datetime
    actor: int
    user_id: int | None
    page: str
    about: About | None = None


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The wanted entries of a log: those that meet each condition that is set, from `begins` until before `ends`."""

    actor: int | None = None
    user_id: int | None = None
    action: str = ""
    begins: datetime | None = None
    ends: datetime | None = None
