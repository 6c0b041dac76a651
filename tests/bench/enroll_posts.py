"""Single enrollments over many sections, with and without the enrollments of past terms in the database."""

import asyncio
from collections.abc import Mapping, Sequence

from tests.bench import past_terms
from tests.bench.bench_run import BARE, BenchRun
from tests.bench.enrollment_load import (
    MAX_CONNECTIONS,
    SECTIONS,
    InconsistentSeats,
    Press,
    check_enrollments,
    client_share,
    create_school,
    enroll_press,
    no_failures,
    p99,
    send,
)
from tests.bench.figures import Goal, Row, Spread
from tests.bench.prepared_requests import Sent
from tests.bench.servers import MEBIBYTE, Site
from tests.support.student_crowd import Student

POSTS_EACH = 3
"""Posts of each student in a round."""

MIN_RATIO, MIN_PAST_TERMS_RATIO = 0.16, 0.95
MAX_P99_SECONDS = 1.0
MAX_GROWTH_MIB = 2.0
"""Memory that a process may need more because of past terms: less is noise."""

WITHOUT, WITH = "without past terms", "with past terms"


def measure(run: BenchRun) -> list[Row]:
    """Enroll students in single sections of two schools in turn, one of which has a past."""
    plan, uris = run.plan, {WITHOUT: run.database("enroll"), WITH: run.database("enroll_past_terms")}
    posts = plan.posts * (plan.repeats + 1)  # the first round warms up, so that processes have opened connections
    crowds = {
        name: asyncio.run(create_school(uri, plan.posts // POSTS_EACH, sections=SECTIONS, seats=posts))
        for name, uri in uris.items()
    }
    past_terms.add(uris[WITH], plan.past_enrollments, SECTIONS)
    sent: dict[str, list[Sent]] = {WITHOUT: [], WITH: []}
    bare_rates = []
    with run.serve(uris[WITHOUT], "enroll") as first, run.serve(uris[WITH], "enroll-past-terms") as second:
        sites = {WITHOUT: first, WITH: second}
        for turn in range(plan.repeats + 1):
            bare_rates += run.measure_bare().rates
            for name in (WITHOUT, WITH) if turn % 2 else (WITH, WITHOUT):
                sent[name].append(_enroll_everywhere(sites[name], crowds[name], plan.posts, turn))
        memory = {name: site.memory()[0] / MEBIBYTE for name, site in sites.items()}
    for name, uri in uris.items():
        presses = _presses(crowds[name], posts)
        confirmed = {(one.student.user_id, one.fields["courseID"]) for one in presses}
        check_enrollments(uri, confirmed, recounts=name == WITHOUT)  # the past has neither sections nor accounts
    rates = {name: Spread(tuple(one.per_second for one in found[1:])) for name, found in sent.items()}
    return [
        _row(rates[WITHOUT], Spread(tuple(bare_rates[1:])), sent[WITHOUT][1:]),
        _past_terms_row(plan.past_enrollments, rates, memory, sent[WITH]),
    ]


def _enroll_everywhere(site: Site, crowd: Sequence[Student], posts: int, turn: int) -> Sent:
    sent = send(site, _presses(crowd, posts * (turn + 1))[posts * turn :], MAX_CONNECTIONS)
    if sent.count(303, 304) != posts:
        wrong = next(one for one in sent.exchanges if one.status != 303)
        raise InconsistentSeats(f"A student was refused with {wrong.status} although there are enough seats.")
    return sent


def _presses(crowd: Sequence[Student], count: int) -> list[Press]:
    """Return the posts: consecutive students choose different courses, and no student the same course twice."""
    presses = []
    for number in range(count):
        turn, student = divmod(number, len(crowd))
        presses.append(enroll_press(crowd[student], f"C{(7 * student + turn) % SECTIONS}"))
    return presses


def _row(rate: Spread, bare: Spread, sent: Sequence[Sent]) -> Row:
    return Row(
        f"enroll posts over {SECTIONS} sections, {MAX_CONNECTIONS} at once",
        "posts/s",
        rate,
        {BARE: bare},
        goals=[
            Goal(f"ratio to {BARE}", rate.to(bare).median, at_least=MIN_RATIO),
            Goal("p99 in seconds", p99(sent), at_most=MAX_P99_SECONDS),
            no_failures(sent),
        ],
        note=client_share(sent),
        compared_by=BARE,
    )


def _past_terms_row(past: int, rates: Mapping[str, Spread], memory: Mapping[str, float], sent: Sequence[Sent]) -> Row:
    return Row(
        f"the same with {past:,} enrollments of past terms",
        "posts/s",
        rates[WITH],
        {WITHOUT: rates[WITHOUT]},
        goals=[
            Goal(f"ratio to {WITHOUT}", rates[WITH].to(rates[WITHOUT]).median, at_least=MIN_PAST_TERMS_RATIO),
            Goal("MiB more in a process", memory[WITH] - memory[WITHOUT], at_most=MAX_GROWTH_MIB),
            no_failures(sent),
        ],
        note=f"a process has {memory[WITH]:.0f} MiB, and {memory[WITHOUT]:.0f} {WITHOUT}",
        compared_by=WITHOUT,
    )
