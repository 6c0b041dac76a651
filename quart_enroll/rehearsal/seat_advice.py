"""Advice about the catalog: where seats and waitlists are short, and whose plans can't work."""

from collections.abc import Iterator, Sequence
from math import ceil

from quart_enroll.rehearsal.advice_text import Advice, count, duration_text
from quart_enroll.rehearsal.figures import Figures, SectionFigures

FIRST_SECONDS = 10.0
"""Whether a student gets into a section that is full so soon is a matter of luck."""

HIGH_DEMAND = 1.5
"""Courses need more sections if this many times as many students plan them as there are seats."""

SECTION_SIZE = 30
"""The size of a further section."""


def crowded_courses(figures: Figures) -> Iterator[Advice]:
    """Name the courses that students plan far more often than there are seats."""
    crowded = [one for one in figures.courses if one.planned > HIGH_DEMAND * one.capacity and one.planned > 1]
    if not crowded:
        return
    first = "; ".join(
        f"{one.title} ({one.planned} plans, {one.capacity} seats: about {_more_seats(one.planned - one.capacity)})"
        for one in crowded[:5]
    )
    rest = f", and {len(crowded) - 5} more, listed below" if len(crowded) > 5 else ""
    lacking = sum(one.planned - one.capacity for one in crowded)
    yield Advice(
        "change",
        f"{count(len(crowded), 'course has', 'courses have')} far fewer seats than students want",
        f"They lack {lacking:,} seats together. Add sections, raise capacities, or tell students early: {first}{rest}. "
        f"The demand is estimated from {figures.setup.demand_source}.",
    )


def _more_seats(lacking: int) -> str:
    sections = ceil(lacking / SECTION_SIZE)
    return f"{lacking} more seats" if sections == 1 else f"{sections} more sections of {SECTION_SIZE}"


def first_seconds(figures: Figures) -> Iterator[Advice]:
    """Name the sections that are full at once."""
    early = [one for one in figures.sections if one.full_after is not None and one.full_after <= FIRST_SECONDS]
    if not early:
        return
    yield Advice(
        "expect",
        f"{count(len(early), 'section is', 'sections are')} full within {FIRST_SECONDS:.0f} seconds",
        f"The first are {_list_sections(early[:5])}. Their waitlists then hold "
        f"{count(sum(one.waiting for one in early), 'student')}. Tell students that it is a matter of seconds there, "
        "and that they should plan another section as well.",
    )


def waitlists(figures: Figures) -> Iterator[Advice]:
    """Name the full sections whose waitlists are full or missing."""
    full = [one for one in figures.sections if one.waitlist_capacity and one.waiting >= one.waitlist_capacity]
    none = [one for one in figures.sections if not one.waitlist_capacity and one.full_after is not None]
    if full:
        yield Advice(
            "change",
            f"{count(len(full), 'waitlist is', 'waitlists are')} full",
            "Further students are turned away and keep trying, which costs the site most. Raise the "
            f"waitlist capacity of {_list_sections(full[:5])}{', and others listed below' if len(full) > 5 else ''}.",
        )
    if none:
        yield Advice(
            "change",
            f"{count(len(none), 'full section has', 'full sections have')} no waitlist",
            "Students who find no seat there can only try again and again. Give them a waitlist: "
            f"{_list_sections(none[:5])}{', and others listed below' if len(none) > 5 else ''}.",
        )


def conflicts(figures: Figures) -> Iterator[Advice]:
    """Name the sections that students plan together although they meet at the same time."""
    if not figures.conflict_students:
        return
    share = figures.conflict_students / figures.setup.students
    pairs = "; ".join(f"{one.one} and {one.other} ({count(one.students, 'student')})" for one in figures.conflicts[:3])
    yield Advice(
        "expect",
        f"{count(figures.conflict_students, 'student')} ({share:.0%}) planned sections that meet at the same time",
        f"They get the first of the two, and the page says why not the other. The most frequent pairs: {pairs}. "
        "If two courses are often taken together, move a section of one of them.",
    )


def settling(figures: Figures) -> Iterator[Advice]:
    """Say how much of their plans students get, and how soon."""
    found, students = figures.settling, figures.setup.students
    got = found.planned_seats_got / found.planned_seats if found.planned_seats else 1.0
    when = (
        f"After {duration_text(found.all_settled_after)}, everyone had tried everything in the plan"
        if found.all_settled_after is not None
        else f"{found.settled:,} of {students:,} had tried everything in the plan when the rehearsal ended"
    )
    half = f", half of them after {duration_text(found.half_settled_after)}" if found.half_settled_after else ""
    filled = (
        f" Nine tenths of the seats were taken after {duration_text(figures.seconds_until_90_percent)}."
        if figures.seconds_until_90_percent is not None
        else ""
    )
    yield Advice(
        "expect",
        f"{found.whole_plan / students:.0%} of the students get their whole plan at the first press",
        f"At the end, students had {got:.0%} of the seats that they had planned. {when}{half}.{filled} Up to "
        f"{figures.adds_per_second_peak:,.0f} seats were taken per second.",
    )


def _list_sections(sections: Sequence[SectionFigures]) -> str:
    return "; ".join(f"{one.title}, section {one.section}" for one in sections)
