"""Emails to all students of a section, through the outbox.

One transaction queues every recipient's email and writes the audit entry, together with a key under which it was done.
So a button that is pressed twice, or a process that dies, sends nothing twice and skips nobody. From there on, the
outbox sends each email at most once, even if a process dies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import enrollments, idempotency, notices, users, waitlist
from quart_enroll.db.collections.idempotency import AlreadyMade
from quart_enroll.db.transactions import transaction
from quart_enroll.domain.audit import About, AuditEntry, Change
from quart_enroll.domain.models import Course, Notice, SectionKey, User
from quart_enroll.i18n.language import Sentence, TermName, Value
from quart_enroll.services.accounts import attempt_limits
from quart_enroll.services.staff import audit, button_presses

WHY_ENROLLED = Sentence(
    "%(sender)s (%(email)s) sent you this because you’re enrolled in %(title)s, section %(section)s, for %(term)s."
)
WHY_WAITING = Sentence(
    "%(sender)s (%(email)s) sent you this because you’re on the waitlist for %(title)s, section %(section)s, for "
    "%(term)s."
)


@dataclass(frozen=True, slots=True)
class RosterEmail:
    """An email to students of a section, those who are enrolled, those who wait, or both."""

    key: SectionKey
    subject: str
    text: str
    to_enrolled: bool
    to_waiting: bool


@dataclass(frozen=True, slots=True)
class Recipients:
    """The students who get an email; of these, those who haven't confirmed their address don't get it."""

    enrolled: Sequence[int]
    waiting: Sequence[int]
    unconfirmed: Sequence[User] = ()

    @property
    def total(self) -> int:
        """The number of students to whom it is sent."""
        return len(self.enrolled) + len(self.waiting)


async def find_recipients(db: Database, email: RosterEmail, session: Session | None = None) -> Recipients:
    """Return the students who would get the email now."""
    seats = await enrollments.find_by_section(db, email.key, session) if email.to_enrolled else []
    entries = await waitlist.find_by_section(db, email.key, session) if email.to_waiting else []
    enrolled = [one.user_id for one in seats if one.status == "enrolled"]
    waiting = [one.user_id for one in entries]
    people = await users.find_many(db, [*enrolled, *waiting], session)
    unconfirmed = [one for one in people.values() if one.email_unconfirmed]
    unreached = {one.user_id for one in unconfirmed}
    return Recipients(
        [one for one in enrolled if one in people and one not in unreached],
        [one for one in waiting if one in people and one not in unreached],
        unconfirmed,
    )


async def send(db: Database, sender: User, course: Course, email: RosterEmail, button: str, now: datetime) -> int:
    """Queue the email for each recipient, and return their number; the same `button` sends it only once.

    Raises PleaseWait for someone who sends one email after the other.
    """
    made = button_presses.make_key(button, email)
    if await idempotency.find(db, sender.user_id, made) is None:
        await attempt_limits.count_roster_email(db, sender.user_id, now)

    async def body(session: Session) -> int:
        recipients = await find_recipients(db, email, session)
        await button_presses.record(db, sender.user_id, made, now, session, str(recipients.total))
        await _queue(db, sender, course, email, recipients, now, session)
        await audit.record(db, session, _entry(sender, email, recipients, now))
        return recipients.total

    try:
        return await transaction(db, body)
    except AlreadyMade:
        earlier = await idempotency.find(db, sender.user_id, made)
        return int(earlier.answer.body) if earlier and earlier.answer else 0


async def _queue(
    db: Database,
    sender: User,
    course: Course,
    email: RosterEmail,
    recipients: Recipients,
    now: datetime,
    session: Session,
) -> None:
    key = email.key
    where: dict[str, Value] = {"title": course.title, "section": key.section, "term": TermName(key.term)}
    where |= {"sender": sender.full_name, "email": sender.email}
    for why, user_ids in ((WHY_ENROLLED, recipients.enrolled), (WHY_WAITING, recipients.waiting)):
        because = Sentence(why.message, **where)
        queued = [
            Notice(
                now,
                user_id,
                "roster_email",
                key.courseID,
                course.title,
                key.term,
                key.section,
                because,
                email.subject,
                email.text,
            )
            for user_id in user_ids
        ]
        await notices.add_all(db, queued, session, email_only=True)


def _entry(sender: User, email: RosterEmail, recipients: Recipients, now: datetime) -> AuditEntry:
    changes = (
        Change("subject", "", email.subject),
        Change("text", "", email.text),
        Change("enrolled", "", str(len(recipients.enrolled))),
        Change("waiting", "", str(len(recipients.waiting))),
    )
    about = About("section", email.key.term, email.key.courseID, email.key.section)
    return AuditEntry(now, sender.user_id, "roster.email", about, changes=changes)
