"""The roster of a section: its students on a page, on paper and in a file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quart import Response, abort, request, url_for

from quart_enroll.domain import permissions
from quart_enroll.domain.models import Section, SectionKey, User
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages.staff.effects import section_name, value_text
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import Column, Listing, export, requested_format
from quart_enroll.pages.staff.section import HERE, OpenedSection, open_section
from quart_enroll.pages.staff.sections import in_batches, section_url
from quart_enroll.services.staff import access
from quart_enroll.services.staff import roster as service
from quart_enroll.services.staff.roster import Roster, RosterRow, RosterStatus
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.request import current_request

STANDING_NAMES = {
    RosterStatus.ENROLLED: Sentence("Enrolled"),
    RosterStatus.WAITING: Sentence("On the waitlist"),
    RosterStatus.WITHDRAWN: Sentence("Withdrawn"),
    RosterStatus.LEFT: Sentence("Dropped"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """A part of the roster, such as the enrolled students; `empty` is the sentence if it has none."""

    key: str
    heading: Sentence
    listing: Listing[RosterRow]
    rows: Sequence[RosterRow]
    empty: Sentence | None = None


async def open_roster(is_allowed: Callable[[OpenedSection], bool] = lambda _: True) -> OpenedSection:
    """Return the section that the URL names, and log that its roster is opened.

    Aborts with 404 if it is outside the person's scope, or if it is not `is_allowed`. The page's route has
    `opens_record`.
    """
    opened = await open_section()
    if not is_allowed(opened):
        abort(404)
    user_id, endpoint = auth.signed_in().user_id, current_request().route.endpoint
    await access.record_roster(database(), user_id, opened.section.key, endpoint, now())
    return opened


def may_manage(opened: OpenedSection) -> bool:
    """Return whether the signed-in person may change the roster, and email those on it."""
    return permissions.can_manage_roster(auth.signed_in(), opened.section.instructors)


def roster_url(key: SectionKey) -> str:
    """Return the URL of the section's roster."""
    return section_url(key, "staff_roster")


async def roster() -> RenderedPage | Response:
    opened = await open_roster()
    found = await service.find(database(), opened.section.key)
    if requested_format():
        with_opted_out = "opted_out" in request.args
        rows = [row for row in found if with_opted_out or not row.student.directory_opt_out]
        return await export(_file_listing(opened.section), in_batches(rows))
    staff = auth.signed_in()
    return render_staff(
        "staff/roster.html",
        HERE,
        opened=opened,
        section=opened.section,
        meetings=value_text(opened.section.meetings),
        groups=_groups(found, staff),
        can_act=permissions.can_act_for_some(staff),
        listing=_file_listing(opened.section),
        leaves_out=any(row.student.directory_opt_out for row in found),
        can_manage=permissions.can_manage_roster(staff, opened.section.instructors),
        can_drop=now() < opened.term.census_at,
        is_live=now() < opened.term.withdraw_deadline,
    )


def _groups(found: Roster, staff: User) -> list[Group]:
    person, since = _person_columns(staff), _since
    select = _user_id if permissions.can_act_for_some(staff) else None
    position = Column[RosterRow]("position", Sentence("Position"), lambda row: row.position)
    departure = [
        Column[RosterRow]("how", Sentence("What happened"), how_text),
        Column[RosterRow]("author", Sentence("By"), author_text),
    ]
    return [
        Group(
            "enrolled",
            Sentence("Enrolled"),
            Listing("enrolled", [*person, since(Sentence("Enrolled on"))], select=select),
            found.enrolled,
            Sentence("Nobody is enrolled."),
        ),
        Group(
            "waiting",
            Sentence("On the waitlist"),
            Listing("waiting", [*person[:1], position, *person[1:], since(Sentence("Joined on"))], select=select),
            found.waiting,
            Sentence("Nobody is waiting."),
        ),
        Group(
            "withdrawn",
            Sentence("Withdrawn"),
            Listing("withdrawn", [*person, since(Sentence("Withdrawn on")), departure[1]], select=select),
            found.withdrawn,
        ),
        Group(
            "left",
            Sentence("Dropped"),
            Listing("left", [*person, since(Sentence("Dropped on")), *departure], select=select),
            found.left,
        ),
    ]


def _user_id(row: RosterRow) -> str:
    return str(row.student.user_id)


def _person_columns(staff: User) -> list[Column[RosterRow]]:
    def url(row: RosterRow) -> str:
        if not (row.student.email and permissions.can_read_student(staff, row.student)):
            return ""
        return url_for("staff_student", user_id=row.student.user_id)

    return [
        Column("name", Sentence("Name"), name_text, url=url),
        Column("user_id", Sentence("ID"), lambda row: str(row.student.user_id)),
        Column("email", Sentence("Email"), lambda row: row.student.email),
    ]


def name_text(row: RosterRow) -> str | Sentence:
    """Return the student's name and pronouns, marked if the student opted out of the directory."""
    student = row.student
    if not student.email:
        return Sentence("Deleted account %(user_id)s", user_id=str(student.user_id))
    name = student.name_for_staff
    if student.pronouns:
        name = Sentence("%(name)s, %(pronouns)s", name=name, pronouns=student.pronouns)
    return Sentence("%(name)s (opted out of the directory)", name=name) if student.directory_opt_out else name


def how_text(row: RosterRow) -> str | Sentence:
    """Return how the student left the section, and why."""
    event = row.departure
    if event is None:
        return ""
    if event.from_section:
        return Sentence("Moved to section %(section)s", section=event.section)
    if event.action == "cancelled":
        return Sentence("Section canceled")
    what = STANDING_NAMES[RosterStatus.WITHDRAWN if event.action == "withdraw" else RosterStatus.LEFT]
    return Sentence("%(what)s: %(reason)s", what=what, reason=event.reason_text) if event.reason else what


def author_text(row: RosterRow) -> str | Sentence:
    """Return who took the student out of the section."""
    event = row.departure
    if event is None:
        return ""
    return Sentence("The student") if event.actor == event.user_id else row.author or Sentence("Automatic")


def _since(label: Sentence) -> Column[RosterRow]:
    return Column("since", label, lambda row: row.since)


def _file_listing(section: Section) -> Listing[RosterRow]:
    """Return the columns of the file, which has all groups in one list."""
    return Listing(
        f"roster-{section_name(section.key)}",
        [
            Column("last_name", Sentence("Last name"), lambda row: row.student.last_name),
            Column("first_name", Sentence("First name"), lambda row: row.student.first_name),
            Column("preferred_name", Sentence("Preferred first name"), lambda row: row.student.preferred_name),
            Column("pronouns", Sentence("Pronouns"), lambda row: row.student.pronouns),
            Column("user_id", Sentence("ID"), lambda row: row.student.user_id),
            Column("email", Sentence("Email"), lambda row: row.student.email),
            Column("status", Sentence("Status"), lambda row: STANDING_NAMES[row.standing]),
            Column("position", Sentence("Position"), lambda row: row.position or None),
            _since(Sentence("Since")),
            Column("how", Sentence("What happened"), how_text),
            Column("author", Sentence("By"), author_text),
            Column(
                "directory",
                Sentence("Directory"),
                lambda row: Sentence("Opted out of the directory") if row.student.directory_opt_out else "",
            ),
        ],
    )
