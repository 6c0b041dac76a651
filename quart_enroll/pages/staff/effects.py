"""What a change by staff does to people, in words: before it is saved, and again afterwards."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quart_enroll.db.client import Database
from quart_enroll.domain.models import Consent, Meeting, SectionKey, SectionStatus
from quart_enroll.domain.section_edits import CONSENT_NAMES, STATUS_NAMES
from quart_enroll.i18n.language import gettext, plural
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.staff import sections as service
from quart_enroll.services.staff.seat_previews import GainedSeat
from quart_enroll.services.staff.section_effects import Effects

MAX_NAMES = 100
"""People whom a page names; it only counts the others."""


class EffectLine(NamedTuple):
    """A sentence about some people, and a line about each of them."""

    sentence: str
    items: Sequence[str] = ()


async def of_section(db: Database, effects: Effects, *, is_preview: bool) -> list[EffectLine]:
    """Return what the change of a section does to people, or did."""
    ids = {one.user_id for one in effects.gained} | {one.user_id for one in effects.conflicts}
    names = await service.find_names(db, ids)
    lines = []
    if effects.gained:
        lines.append(_gained([(one.user_id, one.key) for one in effects.gained], names, is_preview=is_preview))
    if effects.notified:
        sentence = plural(
            "%(number)s student is notified of the change.",
            "%(number)s students are notified of the change.",
            effects.notified,
        )
        lines.append(EffectLine(str(sentence)))
    if effects.conflicts:
        sentence = plural(
            "%(number)s student gets a time conflict:",
            "%(number)s students get a time conflict:",
            len(effects.conflicts),
        )
        items = [
            gettext("%(name)s: %(conflict)s", name=names[one.user_id], conflict=one.sentence)
            for one in effects.conflicts
        ]
        lines.append(EffectLine(str(sentence), _shortened(items)))
    if effects.overbooked:
        sentence = plural(
            "The section has %(number)s student more than its new capacity. Everyone keeps their seat, but nobody else "
            "gets one until there is room.",
            "The section has %(number)s students more than its new capacity. Everyone keeps their seat, but nobody "
            "else gets one until there is room.",
            effects.overbooked,
        )
        lines.append(EffectLine(str(sentence)))
    return lines


async def of_import(db: Database, result: ImportResult, *, is_preview: bool) -> list[EffectLine]:
    """Return what the change of a term or a course does to people, or did."""
    gained = await of_gained_seats(db, [GainedSeat.of(one) for one in result.promoted], is_preview=is_preview)
    return [*gained, *_other_credits(result, is_preview=is_preview)]


def _other_credits(result: ImportResult, *, is_preview: bool) -> list[EffectLine]:
    """Return how many students are enrolled in courses whose credits change."""
    enrolled = sum(row.enrolled for row in result.changes if any(one.field == "credits" for one in row.fields))
    if not enrolled:
        return []
    if is_preview:
        sentence = plural(
            "The credits of %(number)s enrolled student change.",
            "The credits of %(number)s enrolled students change.",
            enrolled,
        )
    else:
        sentence = plural(
            "The credits of %(number)s enrolled student have changed.",
            "The credits of %(number)s enrolled students have changed.",
            enrolled,
        )
    return [EffectLine(str(sentence))]


async def of_gained_seats(db: Database, gained: Sequence[GainedSeat], *, is_preview: bool) -> list[EffectLine]:
    """Return who gets a seat from a waitlist, or got one."""
    names = await service.find_names(db, {one.user_id for one in gained})
    seats = [(one.user_id, one.key) for one in gained]
    return [_gained(seats, names, is_preview=is_preview)] if seats else []


def _gained(gained: Sequence[tuple[int, SectionKey]], names: Mapping[int, str], *, is_preview: bool) -> EffectLine:
    if is_preview:
        sentence = plural(
            "%(number)s student gets a seat from the waitlist:",
            "%(number)s students get seats from the waitlist:",
            len(gained),
        )
    else:
        sentence = plural(
            "%(number)s student got a seat from the waitlist:",
            "%(number)s students got seats from the waitlist:",
            len(gained),
        )
    return EffectLine(str(sentence), _shortened([f"{names[one]} ({section_name(key)})" for one, key in gained]))


def as_text(lines: Sequence[EffectLine]) -> str:
    """Return the lines for a message."""
    return " ".join(f"{one.sentence} {', '.join(one.items)}{'.' if one.items else ''}".strip() for one in lines)


def section_name(key: SectionKey) -> str:
    """Return the short name of a section within its term."""
    return f"{key.courseID}-{key.section}"


def value_text(value: object) -> str:
    """Return the value of a field in words."""
    match value:
        case SectionStatus():
            return str(STATUS_NAMES[value])
        case Consent():
            return str(CONSENT_NAMES[value])
        case tuple() if all(isinstance(one, Meeting) for one in value):
            return ", ".join(map(str, value)) or gettext("No fixed times")
        case tuple():
            return ", ".join(map(str, value)) or "–"
        case None | "":
            return "–"
        case _:
            return str(value)


def _shortened(items: Sequence[str]) -> list[str]:
    rest = len(items) - MAX_NAMES
    return [*items[:MAX_NAMES], *([gettext("… and %(number)s more", number=rest)] if rest > 0 else [])]
