"""Which emails users choose to get, and when. Emails without a kind are mandatory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from quart_enroll.i18n.language import Sentence


class EmailKind(StrEnum):
    """The emails that a user can turn off."""

    CONFIRMATION = "confirmation"
    """What students did themselves."""

    WAITLIST = "waitlist"
    """A waitlisted student couldn't get a seat that opened."""

    ALERT = "alert"
    """A seat opened."""

    SECTION_CHANGE = "section_change"
    """The time, the room or the instructor of a student's section has changed."""


class EmailTiming(StrEnum):
    """When an email is sent."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    """In the next daily digest."""

    OFF = "off"


CONFIRMED_ACTIONS = ("enroll", "drop", "withdraw", "swap")
"""The actions of students that are confirmed by email."""

KINDS_BY_ACTION = dict.fromkeys(CONFIRMED_ACTIONS, EmailKind.CONFIRMATION) | {
    "skip": EmailKind.WAITLIST,
    "alert": EmailKind.ALERT,
    "moved": EmailKind.SECTION_CHANGE,
}
"""The kind of the email about each action; an email about any other is mandatory."""

DIGEST = "digest"
"""In a link that turns off emails: all kinds that come in the daily digest."""

DIGEST_TIME = time(7)
"""When digests are sent, by the reader's clock."""

KIND_NAMES = {
    EmailKind.CONFIRMATION: Sentence("Confirmations of your own changes"),
    EmailKind.WAITLIST: Sentence("News about your waitlists"),
    EmailKind.ALERT: Sentence("Seat alerts"),
    EmailKind.SECTION_CHANGE: Sentence("Changes to your sections"),
}

TIMING_NAMES = {
    EmailTiming.AT_ONCE: Sentence("Right away"),
    EmailTiming.DAILY: Sentence("In a daily digest"),
    EmailTiming.OFF: Sentence("Off"),
}


def timings_of(kind: EmailKind) -> list[EmailTiming]:
    """Return the choices for a kind of email; a seat that opened would be gone before a digest."""
    return [one for one in EmailTiming if kind is not EmailKind.ALERT or one is not EmailTiming.DAILY]


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """When a user gets each kind of email. The fields are the kinds."""

    confirmation: EmailTiming = EmailTiming.AT_ONCE
    waitlist: EmailTiming = EmailTiming.AT_ONCE
    alert: EmailTiming = EmailTiming.AT_ONCE
    section_change: EmailTiming = EmailTiming.AT_ONCE

    @classmethod
    def read(cls, stored: object) -> "EmailSettings":
        """Read stored settings; a value that is missing or unknown counts as right away."""
        if not isinstance(stored, Mapping):
            return DEFAULT_SETTINGS
        return cls(**{kind: EmailTiming(stored[kind]) for kind in EmailKind if stored.get(kind) in timings_of(kind)})

    @property
    def chosen(self) -> dict[str, Any]:
        """The values that are not the default; only these are stored."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: str(timing) for name, timing in values.items() if timing is not EmailTiming.AT_ONCE}

    def timing(self, action: str) -> EmailTiming:
        """Return when the user gets the email about an action."""
        kind = KINDS_BY_ACTION.get(action)
        return EmailTiming.AT_ONCE if kind is None else self.of_kind(kind)

    def of_kind(self, kind: EmailKind) -> EmailTiming:
        """Return when the user gets this kind of email."""
        timing: EmailTiming = getattr(self, kind)
        return timing

    def without(self, emails: str) -> "EmailSettings":
        """Return the settings with one kind of email turned off, or with DIGEST those that come in the digest."""
        return replace(self, **dict.fromkeys(self.turned_off_by(emails), EmailTiming.OFF))

    def turned_off_by(self, emails: str) -> Iterable[EmailKind]:
        """Return the kinds that `without` turns off."""
        if emails != DIGEST:
            return [EmailKind(emails)]
        return [kind for kind in EmailKind if self.of_kind(kind) is EmailTiming.DAILY]


DEFAULT_SETTINGS = EmailSettings()


def next_digest_at(after: datetime, timezone: str) -> datetime:
    """Return when the first digest after that moment is due in the time zone."""
    zone = ZoneInfo(timezone)
    today = after.astimezone(zone).date()
    due = datetime.combine(today, DIGEST_TIME, zone)
    if due.astimezone(after.tzinfo) <= after:
        due = datetime.combine(today + timedelta(days=1), DIGEST_TIME, zone)
    return due.astimezone(after.tzinfo)
