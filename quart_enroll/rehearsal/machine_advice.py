"""Advice about the machine: whether it answers fast enough, and what to change."""

from collections.abc import Iterator, Sequence
from math import ceil

from quart_enroll.rehearsal.advice_text import Advice, count, duration_text, seconds_text
from quart_enroll.rehearsal.figures import Figures, StepFigures

PRESS, SIGN_IN = "presses “Enroll in all”", "signs in with a password"
"""The steps that advice is about, as students take them."""

SLOW_PAGE_SECONDS, SLOW_PRESS_SECONDS = 1.0, 5.0
"""From these response times (p99) on, students press again, and advice is due."""

BUSY_SHARE = 0.8
"""A process, or a machine, that is busier than this has no room for the real day."""

TARGET_SHARE = 0.6
"""How busy processes should be."""

OTHER_PROGRAMS_CORES = 0.3
"""From this use on, other programs on the machine distort the figures."""

MEMORY_MARGIN = 1.25
"""The memory to plan for, as a multiple of the memory used."""

COMFORTABLE_SIGN_IN_SECONDS = 60.0

MEBIBYTE = 1 << 20


def errors(figures: Figures) -> Iterator[Advice]:
    """Say whether requests failed or seats are wrong."""
    if figures.discrepancies:
        yield Advice(
            "problem",
            f"The check found {count(len(figures.discrepancies), 'discrepancy', 'discrepancies')}",
            "Report this to the developers, with the list below. The school’s own database is not concerned.",
        )
    if figures.server_errors or figures.unanswered:
        worst = max(figures.steps, key=lambda step: step.server_errors + step.unanswered)
        yield Advice(
            "problem",
            f"{count(figures.server_errors + figures.unanswered, 'request')} failed",
            f"{count(figures.server_errors, 'request was', 'requests were')} answered with a server error, and "
            f"{figures.unanswered} got no answer within 30 seconds; most were of the kind “{worst.step}”. Pages "
            "repeat such requests by themselves, and nothing is lost, but students wait.",
        )
    else:
        yield Advice(
            "fine",
            "Every request was answered, and every seat is right",
            f"There was no server error in {count(sum(step.number for step in figures.steps), 'request')}. "
            f"All {figures.adds:,} seats were recounted: no section is over capacity, and every student has the "
            "seats that the site confirmed.",
        )


def speed(figures: Figures) -> Iterator[Advice]:
    """Say whether pages and “Enroll in all” are fast enough, and if not, which resource is short."""
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
            f"“Enroll in all” took {seconds_text(press.median)} in the median",
            f"{_waits(press)} In 99 of 100 cases, a page took at most {seconds_text(slowest.p99 if slowest else 0.0)}.",
        )
        if busy:
            yield Advice("expect", "There is little room for more students than these", " ".join(busy))


def _waits(step: StepFigures) -> str:
    return (
        f"A student who {step.step} waits {seconds_text(step.median)} in the median; one in a hundred waits "
        f"{seconds_text(step.p99)} or longer."
    )


def _shortages(figures: Figures) -> Iterator[str]:
    """Yield a sentence for each resource that was fully used in the busiest seconds."""
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
            f"The site’s {count(setup.processes, 'process', 'processes')} used {site:.1f} cores in the busiest "
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
        else "This system doesn’t tell which resource was short. Try a second run with more processes, then one with a "
        "larger database."
    )


def sign_ins(figures: Figures) -> Iterator[Advice]:
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
        f"hardware. If all {setup.students:,} came in the first minute, the last would wait {duration_text(everyone)}; "
        f"to be done within the minute, the passwords alone need {count(cores, 'core')}."
    )
    step = figures.step(SIGN_IN)
    if step is not None and step.p99 > SLOW_PRESS_SECONDS:
        yield Advice(
            "change",
            f"{count(setup.password_students, 'student')} who signed in late waited up to {seconds_text(step.longest)}",
            capacity + advice,
        )
    elif everyone > COMFORTABLE_SIGN_IN_SECONDS:
        yield Advice("expect", "Not everyone can sign in during the first minute", capacity + advice)
    else:
        measured = f" In the rehearsal, one in a hundred waited {seconds_text(step.p99)} or longer." if step else ""
        yield Advice(
            "fine", "Even if everyone signs in during the first minute, it is fast enough", capacity + measured
        )


def memory(figures: Figures) -> Iterator[Advice]:
    """Say how much memory the site needs, and whether this machine has it."""
    totals = [moment.site_memory for moment in figures.moments if moment.site_memory is not None]
    if not totals:
        return
    setup, most = figures.setup, max(totals)
    largest = max(moment.largest_process or 0 for moment in figures.moments)
    hashing = setup.hash_slots * setup.hash_megabytes
    needed = int(MEMORY_MARGIN * (most / MEBIBYTE + hashing))
    text = (
        f"The site’s processes used {most / MEBIBYTE:,.0f} MiB together, the largest {largest / MEBIBYTE:,.0f} MiB. "
        f"Passwords take up to {hashing} MiB more while they are checked. The total includes a margin of a quarter."
    )
    if setup.memory and needed * MEBIBYTE > setup.memory:
        yield Advice("change", f"This machine has too little memory: {setup.memory / MEBIBYTE:,.0f} MiB", text)
    else:
        yield Advice("fine", f"Plan {needed:,} MiB of memory for the site", text)


def limits(figures: Figures) -> Iterator[Advice]:
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
            f"{count(figures.uncopied_rows, 'row')} could not be copied. They have nothing to do with the rehearsal: "
            "run `check-seats` for the school’s database.",
        )


def _busiest(cores: Sequence[float | None]) -> float | None:
    """Return the mean of the three highest values, which a single odd second can't distort."""
    known = sorted((one for one in cores if one is not None), reverse=True)[:3]
    return sum(known) / len(known) if known else None
