"""The calendar files of emails: they add the courses that a student got, and remove those that the student left."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from quart_enroll.db.client import Database
from quart_enroll.db.collections import enrollments
from quart_enroll.db.queries import own_changes, section_facts
from quart_enroll.db.queries.section_facts import SectionFacts
from quart_enroll.domain import calendar_file
from quart_enroll.domain.calendar_file import Method
from quart_enroll.domain.email_settings import CONFIRMED_ACTIONS
from quart_enroll.domain.models import Event, Notice, Registration, ScheduledCourse, SectionKey, User
from quart_enroll.i18n import language
from quart_enroll.services.notifications.mail import Attachment

ACTIONS_WITH_FILES = ("promote", "moved", "cancelled", "no_show", "staff", *CONFIRMED_ACTIONS)
"""The notices whose emails have calendar files."""

GIVING_ACTIONS = (*own_changes.SEAT_GIVING_ACTIONS, "moved")
LEAVING_ACTIONS = ("drop", "withdraw", "cancelled")
"""The events after which a student may be in a section, or no longer."""

logger = logging.getLogger(__name__)


async def of_notices(db: Database, to: User, notices: Iterable[Notice], organizer: str) -> Sequence[Attachment]:
    """Return the files for the email about these notices, or none if they can't be made: the email is more important.

    The notices are in the order of time.
    """
    try:
        events = [event for one in notices if one.action in ACTIONS_WITH_FILES for event in await _events_of(db, one)]
        with language.use_language(to.language or language.current_language()):
            return await of_events(db, to.user_id, events, await find_facts(db, events), organizer)
    except Exception as error:  # noqa: BLE001  # whatever is wrong about the course, the student gets the email
        logger.warning("an email to user %s: %s; it has no calendar files", to.user_id, type(error).__name__)
        return ()


async def _events_of(db: Database, notice: Notice) -> list[Event]:
    happened = await own_changes.find_at(db, notice.user_id, notice.at)
    return [event for event in happened if notice.action == "promote" or _key(event) == notice.key]


async def of_events(
    db: Database, user_id: int, events: Iterable[Event], facts: Mapping[SectionKey, SectionFacts], organizer: str
) -> Sequence[Attachment]:
    """Return the files for what has happened to the student, in the order of time, in the current language.

    A section that was taken and left again needs none.
    """
    files: list[Attachment] = []
    for key, (first, at) in _changed_sections(events).items():
        if await enrollments.find_enrolled(db, key, [user_id], None):
            files += _files(user_id, facts[key], Method.PUBLISH, at, organizer)
        elif first in LEAVING_ACTIONS and (first != "cancelled" or await own_changes.had_seat(db, user_id, key)):
            files += _files(user_id, facts[key], Method.CANCEL, at, organizer)
    return files


async def find_facts(db: Database, events: Iterable[Event]) -> dict[SectionKey, SectionFacts]:
    """Return the facts about the sections that these events are about."""
    return {key: await section_facts.find(db, key) for key in _changed_sections(events)}


def _changed_sections(events: Iterable[Event]) -> dict[SectionKey, tuple[str, datetime]]:
    """Return each section, with the first action that was about it and the time of the last one."""
    changed: dict[SectionKey, tuple[str, datetime]] = {}
    for event in events:
        if event.from_section:
            left = SectionKey(event.term, event.courseID, event.from_section)
            changed[left] = changed.get(left, ("drop",))[0], event.at
        if event.action in (*GIVING_ACTIONS, *LEAVING_ACTIONS):
            changed[_key(event)] = changed.get(_key(event), (event.action,))[0], event.at
    return changed


def _files(user_id: int, facts: SectionFacts, method: Method, at: datetime, organizer: str) -> list[Attachment]:
    term, course, section = facts
    if term is None or course is None or section is None:
        return []
    scheduled = ScheduledCourse.of(Registration(course, section, "enrolled"))
    files = calendar_file.change(user_id, scheduled, term, method, at, organizer=organizer)
    name = re.sub(r"\W+", "-", f"{course.title[:50]} {section.section}").strip("-")
    return [
        Attachment(f"{name}{f'-{number}' if number > 1 else ''}.ics", content, method)
        for number, content in enumerate(files, 1)
    ]


def _key(event: Event) -> SectionKey:
    return SectionKey(event.term, event.courseID, event.section)
