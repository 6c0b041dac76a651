"""Turns the figures of a rehearsal into advice: what goes wrong, what to change, what will happen, what is fine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from quart_enroll.rehearsal.figures import Figures, SectionFigures, StepFigures

Level = Literal["problem", "change", "expect", "fine", "note"]

PRESS, SIGN_IN = "presses “Enroll in all”", "signs in with a password"
"""The steps that advice is about, as students take them."""

SLOW_PAGE_SECONDS, SLOW_PRESS_SECONDS = 1.0, 5.0
"""From these response times (p99) on, students press again, and advice is due."""

BUSY_SHARE = 0.8
"""A process, or a machine, that is busier than this has no room for the real day."""

TARGET_SHARE = 0.6
"""How busy processes should be."""

MEMORY_MARGIN = 1.25
"""The memory to plan for, as a multiple of what was used."""

OTHER_PROGRAMS_CORES = 0.3
"""From this use on, other programs on the machine distort the figures."""

FIRST_SECONDS = 10.0
"""Sections that are full within these seconds are a matter of luck for the students."""

HIGH_DEMAND = 1.5
"""Courses that this many times as many students plan as there are seats need more sections."""

SECTION_SIZE = 30
"""The size of a further section, where the course has none."""

COMFORTABLE_SIGN_IN_SECONDS = 60.0

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Advice:
    """A piece of advice: a short title, and sentences that give the figures and what to do."""

    level: Level
    title: str
    text: str


def advise(figures: Figures) -> list[Advice]:
    """Return the advice, the most urgent first."""
    order = ["problem", "change", "expect", "fine", "note"]
    found = [
        *_errors(figures),
        *_speed(figures),
        *_sign_ins(figures),
        *_memory(figures),
        *_crowded_courses(figures),
        *_first_seconds(figures),
        *_waitlists(figures),
        *_conflicts(figures),
        *_settling(figures),
        *_limits(figures),
    ]
    return sorted(found, key=lambda one: order.index(one.level))


def _errors(figures: Figures) -> Iterator[Advice]:
    if figures.discrepancies:
        yield Advice(
            "problem",
            f"The check found {_count(len(figures.discrepancies), 'discrepancy', 'discrepancies')}",
            "Report this to the developers, with the list below. The school’s own database is not concerned.",
        )
    if figures.server_errors or figures.unanswered:
        worst = max(figures.steps, key=lambda step: step.server_errors + step.unanswered)
        yield Advice(
            "problem",
            f"{_count(figures.server_errors + figures.unanswered, 'request')} failed",
            f"{_count(figures.server_errors, 'request was', 'requests were')} answered with a server error, and "
            f"{figures.unanswered} got no answer within 30 seconds; most were of the kind “{worst.step}”. Pages "
            "repeat such requests by themselves, and nothing is lost, but students wait.",
        )
    else:
        yield Advice(
            "fine",
            "Every request was answered, and every seat is right",
            f"There was no server error in {_count(sum(step.number for step in figures.steps), 'request')}. "
            f"All {figures.adds:,} seats were recounted: no section is over capacity, and every student has what the "
            "site said.",
        )


def _speed(figures: Figures) -> Iterator[Advice]:
    """Say whether pages and the press of the button are fast enough, and if not, what is short."""
    press = figures.step(PRESS)
    pages = [step for step in figures.steps if step.step.startswith(("opens", "reloads", "looks", "reads what"))]
    slowest = max(pages, key=lambda step: step.p99, default=None)
    slow = [
        step
        for step, limit in ((press, SLOW_PRESS_SECONDS), (slowest, SLOW_PAGE_SECONDS))
        if step is not None and step.p99 > limit
    ]
    busy = list(_shortages(figures))
    if slow:
        yield Advice(
            "change",
            "Students wait too long in the busiest seconds",
            " ".join([*(f"{_waits(step)}" for step in slow), *(busy or [_unknown_shortage(figures)])]),
        )
    elif press is not None:
        yield Advice(
            "fine",
            f"“Enroll in all” took {_seconds(press.median)} in the median",
            f"{_waits(press)} Pages took at most {_seconds(slowest.p99 if slowest else 0.0)} for 99 % of students.",
        )
        if busy:
            yield Advice("expect", "There is little room for more students than these", " ".join(busy))


def _waits(step: StepFigures) -> str:
    return (
        f"A student who {step.step} waits {_seconds(step.median)} in the median; one in a hundred waits "
        f"{_seconds(step.p99)} or longer."
    )


def _shortages(figures: Figures) -> Iterator[str]:
    """Yield a sentence for whatever was busy in the busiest seconds."""
    setup = figures.setup
    if (others := _other_programs(figures)) > OTHER_PROGRAMS_CORES:
        yield (
            f"Other programs used {others:.1f} of this machine’s {setup.cores} cores meanwhile, so the figures are "
            "worse than they should be. Rehearse when the machine has nothing else to do."
        )
    site = _busiest([moment.site_cores for moment in figures.moments])
    database = _busiest([moment.database_cores for moment in figures.moments])
    if site is not None and site > BUSY_SHARE * setup.processes:
        needed = ceil(site / TARGET_SHARE)
        where = "" if needed <= setup.cores else f", which needs more than this machine’s {setup.cores} cores"
        yield (
            f"The site’s {_count(setup.processes, 'process', 'processes')} used {site:.1f} cores in the busiest "
            f"seconds, nearly all they can. Let {max(needed, setup.processes + 1)} processes serve the site on the day "
            f"(WEB_CONCURRENCY, or more dynos){where}."
        )
    if database is not None and setup.database_is_here and database > BUSY_SHARE * setup.cores / 2:
        yield (
            f"MongoDB used {database:.1f} of {setup.cores} cores in the busiest seconds, on the same machine as the "
            "site. Give it a machine of its own, or a larger cluster."
        )
    elif database is not None and not setup.database_is_here and database > 1.0:
        yield (
            f"MongoDB used {database:.1f} cores in the busiest seconds. If its cluster has no more than "
            f"{ceil(database)}, choose the next larger one for the day."
        )


def _other_programs(figures: Figures) -> float:
    """Return how many cores other programs used in the mean, after the opening; 0 if it isn't known."""
    used = [
        one.machine_cores
        - (one.site_cores or 0)
        - (one.students_cores or 0)
        - (one.database_cores or 0) * figures.setup.database_is_here
        for one in figures.moments
        if one.at > 0 and one.machine_cores is not None
    ]
    return max(0.0, sum(used) / len(used)) if used else 0.0


def _unknown_shortage(figures: Figures) -> str:
    return (
        "Neither the site nor the database seemed to be fully busy. Look at the distance between them: each change "
        "takes about eight round trips."
        if any(moment.site_cores is not None for moment in figures.moments)
        else "It can’t be read on this system what was busy. Try a second run with more processes, then one with a "
        "larger database."
    )


def _sign_ins(figures: Figures) -> Iterator[Advice]:
    """Say how long sign-ins with a password take, for those of the rehearsal and for everyone at once."""
    setup = figures.setup
    rate = setup.hash_slots / setup.hash_seconds if setup.hash_seconds else 0.0
    if not rate:
        return
    everyone = setup.students / rate
    cores = ceil(setup.students * setup.hash_seconds / COMFORTABLE_SIGN_IN_SECONDS)
    capacity = (
        f"Checking a password takes {setup.hash_seconds * 1000:.0f} ms of a core on purpose, and the site does "
        f"{setup.hash_slots} at a time: about {rate:.0f} sign-ins per second. "
    )
    advice = (
        "In the announcement, ask students to sign in during the hour before the opening: that helps more than any "
        f"hardware. If all {setup.students:,} came in the first minute, the last would wait {_duration(everyone)}; "
        f"to be done within the minute, the passwords alone need {_count(cores, 'core')}."
    )
    step = figures.step(SIGN_IN)
    if step is not None and step.p99 > SLOW_PRESS_SECONDS:
        yield Advice(
            "change",
            f"{_count(setup.password_students, 'student')} who signed in late waited up to {_seconds(step.longest)}",
            capacity + advice,
        )
    elif everyone > COMFORTABLE_SIGN_IN_SECONDS:
        yield Advice("expect", "Not everyone can sign in during the first minute", capacity + advice)
    else:
        measured = f" In the rehearsal, one in a hundred waited {_seconds(step.p99)} or longer." if step else ""
        yield Advice(
            "fine", "Even if everyone signs in during the first minute, it is fast enough", capacity + measured
        )


def _memory(figures: Figures) -> Iterator[Advice]:
    totals = [moment.site_memory for moment in figures.moments if moment.site_memory is not None]
    if not totals:
        return
    setup, most = figures.setup, max(totals)
    largest = max(moment.largest_process or 0 for moment in figures.moments)
    hashing = setup.hash_slots * setup.hash_megabytes
    needed = int(MEMORY_MARGIN * (most / MEBIBYTE + hashing))
    text = (
        f"The site’s processes used {most / MEBIBYTE:,.0f} MiB together, the largest {largest / MEBIBYTE:,.0f} MiB. "
        f"Passwords take up to {hashing} MiB more while they are checked, and a quarter is for other days."
    )
    if setup.memory and needed * MEBIBYTE > setup.memory:
        yield Advice("change", f"This machine has too little memory: {setup.memory / MEBIBYTE:,.0f} MiB", text)
    else:
        yield Advice("fine", f"Plan {needed:,} MiB of memory for the site", text)


def _crowded_courses(figures: Figures) -> Iterator[Advice]:
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
        f"{_count(len(crowded), 'course has', 'courses have')} far fewer seats than students want",
        f"They lack {lacking:,} seats together. Add sections, raise capacities, or tell students early: {first}{rest}. "
        f"The demand is estimated from {figures.setup.demand_source}.",
    )


def _more_seats(lacking: int) -> str:
    sections = ceil(lacking / SECTION_SIZE)
    return f"{lacking} more seats" if sections == 1 else f"{sections} more sections of {SECTION_SIZE}"


def _first_seconds(figures: Figures) -> Iterator[Advice]:
    early = [one for one in figures.sections if one.full_after is not None and one.full_after <= FIRST_SECONDS]
    if not early:
        return
    yield Advice(
        "expect",
        f"{_count(len(early), 'section is', 'sections are')} full within {FIRST_SECONDS:.0f} seconds",
        f"The first are {_list_sections(early[:5])}. Their waitlists then hold "
        f"{_count(sum(one.waiting for one in early), 'student')}. Tell students that it is a matter of seconds there, "
        "and that they should plan another section as well.",
    )


def _waitlists(figures: Figures) -> Iterator[Advice]:
    full = [one for one in figures.sections if one.waitlist_capacity and one.waiting >= one.waitlist_capacity]
    none = [one for one in figures.sections if not one.waitlist_capacity and one.full_after is not None]
    if full:
        yield Advice(
            "change",
            f"{_count(len(full), 'waitlist is', 'waitlists are')} full",
            "Further students are turned away and keep trying, which is the most work for the site. Raise the "
            f"waitlist capacity of {_list_sections(full[:5])}{', and others listed below' if len(full) > 5 else ''}.",
        )
    if none:
        yield Advice(
            "change",
            f"{_count(len(none), 'full section has', 'full sections have')} no waitlist",
            "Students who find no seat there can only try again and again. Give them a waitlist: "
            f"{_list_sections(none[:5])}{', and others listed below' if len(none) > 5 else ''}.",
        )


def _conflicts(figures: Figures) -> Iterator[Advice]:
    if not figures.conflict_students:
        return
    share = figures.conflict_students / figures.setup.students
    pairs = "; ".join(f"{one.one} and {one.other} ({_count(one.students, 'student')})" for one in figures.conflicts[:3])
    yield Advice(
        "expect",
        f"{_count(figures.conflict_students, 'student')} ({share:.0%}) planned sections that meet at the same time",
        f"They get the first of the two, and the page says why not the other. The most frequent pairs: {pairs}. "
        "If two courses are often taken together, move a section of one of them.",
    )


def _settling(figures: Figures) -> Iterator[Advice]:
    settling, students = figures.settling, figures.setup.students
    got = settling.planned_seats_got / settling.planned_seats if settling.planned_seats else 1.0
    when = (
        f"After {_duration(settling.all_settled_after)}, everyone had tried everything in the plan"
        if settling.all_settled_after is not None
        else f"{settling.settled:,} of {students:,} had tried everything in the plan when the rehearsal ended"
    )
    half = f", half of them after {_duration(settling.half_settled_after)}" if settling.half_settled_after else ""
    filled = (
        f" Nine tenths of the seats were taken after {_duration(figures.seconds_until_90_percent)}."
        if figures.seconds_until_90_percent is not None
        else ""
    )
    yield Advice(
        "expect",
        f"{settling.whole_plan / students:.0%} of the students get their whole plan at the first press",
        f"At the end, students had {got:.0%} of what they planned. {when}{half}.{filled} Up to "
        f"{figures.adds_per_second_peak:,.0f} seats were taken per second.",
    )


def _limits(figures: Figures) -> Iterator[Advice]:
    """Say what the figures can't tell."""
    students = _busiest([moment.students_cores for moment in figures.moments])
    setup = figures.setup
    if students is not None:
        text = (
            f"The invented students themselves used {students:.1f} of this machine’s {setup.cores} cores in the "
            "busiest seconds. Real students bring their own computers, so the site is faster then."
        )
        if students > BUSY_SHARE:
            text += " They nearly filled a core: part of the waiting is theirs. Rehearse on a machine with more cores."
        yield Advice("note", "The students shared the machine with the site", text)
    if all(moment.database_cores is None for moment in figures.moments):
        yield Advice(
            "note",
            "MongoDB’s load could not be read",
            "Give the database user the role clusterMonitor, or look at the charts of its host for the time of the "
            "rehearsal.",
        )
    if setup.app_env == "development":
        yield Advice(
            "note",
            "The site ran with the settings of development",
            "Set APP_ENV=production and the other settings as on the day, and rehearse where the site will run.",
        )
    if figures.catalog_discrepancies or figures.uncopied_rows:
        yield Advice(
            "note",
            "The catalog itself has discrepancies",
            f"`check-seats` found {figures.catalog_discrepancies} before the opening, and "
            f"{_count(figures.uncopied_rows, 'row')} could not be copied. They have nothing to do with the rehearsal: "
            "run `check-seats` for the school’s database.",
        )


def _busiest(cores: Sequence[float | None]) -> float | None:
    """Return the mean of the three highest values, which a single odd second can't distort."""
    known = sorted((one for one in cores if one is not None), reverse=True)[:3]
    return sum(known) / len(known) if known else None


def _list_sections(sections: Sequence[SectionFigures]) -> str:
    return "; ".join(f"{one.title}, section {one.section}" for one in sections)


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
