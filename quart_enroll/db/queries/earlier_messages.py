"""The messages that earlier versions of the site stored, with the wording of today, which has translations."""

from collections.abc import Mapping
from typing import Any

ENROLLMENT_MESSAGES = {
    "The school has no terms yet.": "No terms are available yet.",
    "%(title)s is not taught in %(term)s.": "%(title)s isn’t offered in %(term)s.",
    "%(title)s is not taught in the coming terms.": "%(title)s isn’t offered in upcoming terms.",
    "Enrollment for %(term)s was open until the end of %(day)s.": (
        "Enrollment for %(term)s closed at the end of %(day)s."
    ),
    "You are already enrolled in %(title)s for %(term)s.": "You’re already enrolled in %(title)s for %(term)s.",
    "You are already waiting for a seat in %(title)s, section %(section)s.": (
        "You’re already on the waitlist for %(title)s, section %(section)s."
    ),
    "Section %(others)s has seats that fit your schedule.": (
        "Section %(others)s has open seats and fits your schedule."
    ),
    "Sections %(others)s have seats that fit your schedule.": (
        "Sections %(others)s have open seats and fit your schedule."
    ),
    "The waitlist of %(title)s, section %(section)s, is full.": (
        "The waitlist for %(title)s, section %(section)s, is full."
    ),
    "%(title)s meets at the same time as %(other)s: %(when)s.": "%(title)s conflicts with %(other)s: %(when)s.",
    "%(title)s has %(adds)s credits, and you have %(has)s already; the limit is %(limit)s.": (
        "%(title)s would bring you to %(total)s credits (limit %(limit)s)."
    ),
    "%(title)s needs %(missing)s from an earlier term.": "%(title)s requires %(missing)s from an earlier term.",
    "%(title)s must be taken together with %(missing)s. "
    "You can enroll in both at once, on its page or from your plan.": (
        "%(title)s must be taken with %(missing)s. Enroll in both at once on the course page or from your plan."
    ),
    "%(title)s must be taken together with %(missing)s. "
    "You can enroll in all of them at once, on its page or from your plan.": (
        "%(title)s must be taken with %(missing)s. Enroll in all of them at once on the course page or from your plan."
    ),
    "%(others)s can’t be taken without %(title)s, and would be given back with it.": (
        "%(others)s can’t be taken without %(title)s, so it would be dropped too."
    ),
}
"""Why a student was not enrolled, in plans, on waitlists and in notices."""

MOVE_MESSAGES = {
    "It now meets: %(now)s. Before: %(before)s.": "New time: %(now)s. Old time: %(before)s.",
    "You keep both seats. If you can’t attend both, drop or swap one of them.": (
        "You’re still enrolled in both. If you can’t attend both, drop or swap one."
    ),
    "Its room is not known yet. Before, it was %(before)s.": (
        "The new room hasn’t been announced. Old room: %(before)s."
    ),
    "Its room is %(now)s.": "Room: %(now)s.",
    "It was closed to new students and is open to them again.": "The section is open to new students again.",
    "It was open to new students and is closed to them now. You keep your seat.": (
        "The section is now closed to new students. You keep your seat."
    ),
    "It was open to new students and is closed to them now. You keep your place in line, but nobody gets a seat until "
    "it opens again.": (
        "The section is now closed to new students. You keep your place in line, but no one gets a seat until it "
        "reopens."
    ),
    "Its room is now %(now)s. Before, it was %(before)s.": "New room: %(now)s. Old room: %(before)s.",
}
"""What has changed about a section, in notices."""

REWORDED = ENROLLMENT_MESSAGES | MOVE_MESSAGES

REWORDED_PLURALS = {
    "%(others)s can’t be taken without %(title)s, and would be given back with it.": (
        "%(others)s can’t be taken without %(title)s, so they would be dropped too."
    ),
}
"""Plural messages that were the same as the singular one."""


def reword(message: str, plural: str, values: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return the message of a stored sentence, its plural and its values as the site would store them today."""
    current = dict(values)
    match values:
        case {"adds": int() | float() as adds, "has": int() | float() as has} if "%(adds)s" in message:
            del current["adds"], current["has"]
            current["total"] = has + adds
    return REWORDED.get(message, message), REWORDED_PLURALS.get(plural) or REWORDED.get(plural, plural), current
