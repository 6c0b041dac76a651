"""Rehearsals: the invented students, the figures, the advice that follows from them, and the report."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from config import Config
from quart_enroll.cli.rehearse import SETTINGS_OF_ITS_OWN
from quart_enroll.db.client import other_database_uri
from quart_enroll.domain import rules
from quart_enroll.domain.models import Course, Meeting, Section, SectionKey, Term
from quart_enroll.rehearsal import report, summary
from quart_enroll.rehearsal.advice import advise
from quart_enroll.rehearsal.advice_text import Advice
from quart_enroll.rehearsal.browser import Browser, Sample
from quart_enroll.rehearsal.figures import Figures, Moment, PlanConflict, Settling, Setup, StepFigures
from quart_enroll.rehearsal.invention import Demand, InventedStudent, estimate_demand, find_conflicts, invent_students
from quart_enroll.rehearsal.machine_advice import PRESS, SIGN_IN
from quart_enroll.rehearsal.student import StudentOutcome
from quart_enroll.services.maintenance.rehearsal import RehearsalRefused, check_openings, database_name

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TERM = Term("Fall 2026", NOW, NOW, NOW, NOW, max_credits=15)
HOURS = [Meeting("MWF", f"{hour:02}:00", f"{hour:02}:50") for hour in range(8, 18)]


def course(number: int, **facts: object) -> Course:
    return replace(Course(f"C{number:03}", f"BIO {number}", "", 3, "Fall", f"Subject {number % 5}"), **facts)  # type: ignore[arg-type]  # by name


COURSES = {one.courseID: one for one in map(course, range(40))}
COURSES["C001"] = replace(COURSES["C001"], prerequisites=("C000",))
COURSES["C002"] = replace(COURSES["C002"], corequisites=("C003",), subject="Subject 2")
SECTIONS = [
    Section(TERM.term, name, number, 20, waitlist_capacity=5, meetings=(HOURS[(index * 3 + part) % len(HOURS)],))
    for index, name in enumerate(COURSES)
    for part, number in enumerate(("01", "02"))
]
KEYS = [one.key for one in SECTIONS]


def invent(number: int = 300, seed: int = 1, demand: Demand | None = None) -> list[InventedStudent]:
    demand = demand or estimate_demand(SECTIONS, {}, {}, seed)
    return invent_students(TERM, COURSES, SECTIONS, demand, number=number, password_share=0.1, seed=seed)


def test_the_same_seed_invents_the_same_students() -> None:
    assert invent() == invent()
    assert invent() != invent(seed=2)
    assert invent(100) == invent()[:100]


def test_plans_hold_what_a_student_may_take() -> None:
    for student in invent():
        names = [key.courseID for key in student.plan]
        assert len(set(names)) == len(names) >= 1
        assert sum(COURSES[name].credits for name in names) <= TERM.max_credits
        needed = {name for one in names for name in COURSES[one].prerequisites}
        assert needed == set(student.taken)
        assert not needed & set(names)
        assert "C002" not in names or "C003" in names


def test_some_courses_are_wanted_far_more_than_others() -> None:
    planned = [key.courseID for student in invent(1000) for key in student.plan]
    numbers = sorted(planned.count(name) for name in COURSES)
    assert numbers[-1] > 3 * numbers[len(numbers) // 2]


def test_most_students_avoid_time_conflicts_and_some_do_not() -> None:
    students = invent(1000)
    conflicts = find_conflicts(students, SECTIONS, most=3)
    assert 0.02 < conflicts.students / len(students) < 0.7
    one, other, number = conflicts.pairs[0]
    by_key = {section.key: section for section in SECTIONS}
    assert rules.overlap(by_key[one], by_key[other])
    assert number == sum({one, other} <= set(student.plan) for student in students)


def test_about_the_given_share_uses_a_password() -> None:
    share = sum(one.uses_password for one in invent(2000)) / 2000
    assert share == pytest.approx(0.1, abs=0.03)


def test_a_term_without_courses_makes_empty_plans() -> None:
    [student] = invent_students(TERM, {}, SECTIONS, Demand({}, ""), number=1, password_share=0, seed=1)
    assert student.plan == ()


def test_the_demand_follows_the_plans_of_real_students() -> None:
    demand = estimate_demand(SECTIONS, {"C005": 90, "C006": 10, "gone": 500}, {}, 1)
    assert (demand.weights["C005"], demand.weights["C006"]) == (90, 10)
    assert demand.weights["C007"] < 1
    assert "plans" in demand.source
    planned = [key.courseID for student in invent(300, demand=demand) for key in student.plan]
    assert planned.count("C005") > planned.count("C006") > planned.count("C007")


def test_without_plans_the_demand_follows_an_earlier_term() -> None:
    earlier = [Section("Fall 2025", "C005", "01", 60, seats_taken=60, waiting=30)]
    demand = estimate_demand(SECTIONS, {"C006": 3}, {"Spring 2026": [], "Fall 2025": earlier}, 1)
    assert (demand.weights["C005"], demand.source) == (90, "the seats and waitlists of Fall 2025")


def test_without_either_the_demand_is_chance_and_the_report_says_so() -> None:
    demand = estimate_demand(SECTIONS, {}, {}, 1)
    assert demand.source.startswith("chance")
    assert len(set(demand.weights.values())) > 10


def step(name: str, *seconds: float, status: int = 200) -> list[Sample]:
    return [Sample(name, 100.0, one, status) for one in seconds]


def test_response_times_are_summarized_by_step() -> None:
    samples = [
        *step("opens the plan", *(number / 100 for number in range(100))),
        *step("enrolls", 1.0, status=409),
        *step("enrolls", 2.0, status=503),
        *step("enrolls", 30.0, status=0),
    ]
    plan, enrolls = summary.summarize_steps(samples)
    assert (plan.number, plan.median, plan.p99, plan.longest) == (100, 0.5, 0.99, 0.99)
    assert (enrolls.refused, enrolls.server_errors, enrolls.unanswered) == (1, 1, 1)


def test_an_unexpected_status_is_a_discrepancy() -> None:
    samples = [*step("opens the plan", 0.1, status=404), *step("enrolls", 0.1, status=409)]
    assert summary.find_unexpected(samples) == ["1 × opens the plan: the site answered with 404."]


def test_what_students_were_told_must_be_what_they_have() -> None:
    told = [
        StudentOutcome(1, enrolled={"A"}),
        StudentOutcome(2, enrolled={"A"}),
        StudentOutcome(3, enrolled={"A"}, uncertain={"A"}),
        StudentOutcome(4, waiting={"A"}),
        StudentOutcome(5, waiting={"A"}),
        StudentOutcome(6, waiting={"A"}),
    ]
    assert summary.check_outcomes(told, {(1, "A"), (4, "A")}, {(5, "A")}) == [
        "Student 2 was told to be enrolled in A, and has no seat.",
        "Student 6 was told to be on the waitlist of A, and is not.",
    ]


def moment(at: float, taken: int, full: frozenset[SectionKey] = frozenset(), **facts: float) -> Moment:
    used = {"site_cores": None, "database_cores": None, "students_cores": None, "machine_cores": None} | facts
    return Moment(at, taken, 0, full, largest_process=1 << 27, site_memory=1 << 28, database_memory=None, **used)  # type: ignore[arg-type]  # by name


def test_seats_over_time_are_measured_from_the_opening() -> None:
    moments = [moment(-1, 0), moment(0, 0), moment(1, 60), moment(3, 90), moment(4, 100)]
    assert summary.peak_adds_per_second(moments) == 60
    assert summary.seconds_until(moments, 0.9) == 3
    assert summary.seconds_until([], 0.9) is None


def test_sections_are_listed_in_the_order_in_which_they_were_full() -> None:
    students = [InventedStudent(number, (KEYS[0], KEYS[2]), (), False, 0, 0) for number in range(30)]
    moments = [moment(1, 20, frozenset({KEYS[2]})), moment(2, 40, frozenset({KEYS[0], KEYS[2]}))]
    found = summary.summarize_sections(SECTIONS, COURSES, students, moments)
    assert [(one.courseID, one.full_after, one.planned) for one in found[:2]] == [("C001", 1, 30), ("C000", 2, 30)]
    assert found[-1].full_after is None
    crowded = summary.summarize_courses(found)[0]
    assert (crowded.capacity, crowded.planned) == (40, 30)


SETUP = Setup(
    term="Fall 2026",
    students=1000,
    students_source="given",
    password_students=100,
    seed=1,
    minutes=1,
    demand_source="chance",
    processes=2,
    hash_slots=2,
    hash_seconds=0.1,
    hash_megabytes=32,
    password_method="scrypt:32768:8:1",
    machine="a <fast> machine",
    cores=4,
    memory=8 << 30,
    database_is_here=True,
    database_version="6.0",
    courses=40,
    sections=80,
    seats=1600,
    app_env="production",
)


def figures(**facts: object) -> Figures:
    """Return the figures of a rehearsal in which everything went well, except for what is given."""
    fast = [StepFigures(name, 1000, 0.1, 0.4, 0.9, 0, 0, 0) for name in (PRESS, "opens the plan", SIGN_IN)]
    sections = summary.summarize_sections(SECTIONS, COURSES, [], [])
    return replace(
        Figures(
            setup=SETUP,
            steps=fast,
            moments=[moment(at, 10 * at, site_cores=0.5, database_cores=0.2, students_cores=0.2) for at in range(10)],
            responses_per_second=[(0.0, 100, 0.2), (1.0, 90, 0.3)],
            sections=sections,
            courses=summary.summarize_courses(sections),
            settling=Settling(1000, 700, 1000, 3.0, 40.0, 4000, 3600),
            adds=3600,
            adds_per_second_peak=240,
            seconds_until_90_percent=12.0,
            conflict_students=0,
            conflicts=[],
            discrepancies=[],
            catalog_discrepancies=0,
            uncopied_rows=0,
        ),
        **facts,  # type: ignore[arg-type]  # by name
    )


def advice_of(level: str, found: Figures) -> list[Advice]:
    return [one for one in advise(found) if one.level == level]


def titles(level: str, found: Figures) -> str:
    return "\n".join(one.title for one in advice_of(level, found))


def test_a_rehearsal_that_went_well_needs_no_change() -> None:
    assert (advice_of("problem", figures()), advice_of("change", figures())) == ([], [])
    assert "Every request was answered" in titles("fine", figures())


def test_failed_requests_and_discrepancies_are_problems() -> None:
    failed = figures(
        steps=[StepFigures(PRESS, 10, 0.1, 0.2, 0.2, 0, 3, 1)], discrepancies=["Section 1: 3 enrolled, capacity 2."]
    )
    assert not failed.succeeded
    assert titles("problem", failed) == "The check found 1 discrepancy\n4 requests failed"
    assert "Every request was answered" not in titles("fine", failed)


def test_slow_presses_and_busy_processes_call_for_more_processes() -> None:
    slow = figures(
        steps=[StepFigures(PRESS, 1000, 4.0, 12.0, 15.0, 0, 0, 0)],
        moments=[moment(at, at, site_cores=1.9, database_cores=0.3, students_cores=0.3) for at in range(5)],
    )
    [advice] = advice_of("change", slow)
    assert "12.0 s" in advice.text
    assert "Let 4 processes serve the site" in advice.text
    assert "MongoDB used" not in advice.text


def test_a_busy_database_calls_for_a_larger_one() -> None:
    slow = [StepFigures(PRESS, 1000, 4.0, 12.0, 15.0, 0, 0, 0)]
    busy = [moment(at, at, site_cores=0.5, database_cores=2.5) for at in range(5)]
    here = advice_of("change", figures(steps=slow, moments=busy))[0].text
    assert "MongoDB used 2.5 of 4 cores" in here
    elsewhere = figures(steps=slow, moments=busy, setup=replace(SETUP, database_is_here=False))
    assert "choose the next larger one" in advice_of("change", elsewhere)[0].text


def test_other_programs_are_named_as_the_cause() -> None:
    disturbed = [moment(at, at, site_cores=0.5, students_cores=0.2, machine_cores=3.9) for at in range(5)]
    slow = figures(steps=[StepFigures(PRESS, 1000, 4.0, 12.0, 15.0, 0, 0, 0)], moments=disturbed)
    assert "Other programs used 3.2 of this machine’s 4 cores" in advice_of("change", slow)[0].text


def test_sign_ins_are_extrapolated_to_everyone() -> None:
    [advice] = [one for one in advice_of("fine", figures()) if "sign" in one.title]
    assert "about 20 sign-ins per second" in advice.text  # two at a time, 0.1 s each: 50 s for 1,000
    many = figures(setup=replace(SETUP, students=6000))
    [advice] = [one for one in advice_of("expect", many) if "sign" in one.title]
    assert "the last would wait 5 minutes" in advice.text  # 6,000 / 20 per second
    assert "the passwords alone need 10 cores" in advice.text  # 600 s of hashing in 60 s
    late = figures(steps=[StepFigures(SIGN_IN, 100, 6.0, 9.0, 10.0, 0, 0, 0)])
    assert "100 students who signed in late waited up to 10.0 s" in titles("change", late)


def test_too_little_memory_is_reported() -> None:
    small = figures(setup=replace(SETUP, memory=256 << 20))
    assert "too little memory: 256 MiB" in titles("change", small)  # a quarter more than 256 + 64
    assert "Plan 400 MiB" in titles("fine", figures())


def test_courses_that_lack_seats_are_named_with_the_number_of_sections() -> None:
    crowded = [summary.CourseFigures("C1", "BIO 101", 30, 150), summary.CourseFigures("C2", "BIO 102", 30, 31)]
    [advice] = advice_of("change", figures(courses=crowded))
    assert advice.title == "1 course has far fewer seats than students want"
    assert "BIO 101 (150 plans, 30 seats: about 4 more sections of 30)" in advice.text


def test_full_sections_and_full_waitlists_are_named() -> None:
    section = replace(figures().sections[0], full_after=2.0, waiting=5, waitlist_capacity=5, title="BIO 7")
    full = figures(sections=[section, replace(section, full_after=50.0, waiting=0, waitlist_capacity=0)])
    assert "1 section is full within 10 seconds" in titles("expect", full)
    assert titles("change", full) == "1 waitlist is full\n1 full section has no waitlist"


def test_conflicting_plans_are_reported_with_the_sections() -> None:
    conflicting = figures(conflict_students=100, conflicts=[PlanConflict("BIO 1, section 01", "BIO 2, section 02", 7)])
    [advice] = [one for one in advice_of("expect", conflicting) if "same time" in one.title]
    assert advice.title.startswith("100 students (10%)")
    assert "BIO 1, section 01 and BIO 2, section 02 (7 students)" in advice.text


def test_unknown_figures_are_named() -> None:
    unknown = figures(moments=[moment(1, 1)])
    assert "MongoDB’s load could not be read" in titles("note", unknown)


class Page(HTMLParser):
    """Collects the ids of regions, the headings, and the URLs that a page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open_tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "action")]


def test_the_report_needs_nothing_else_and_escapes_names() -> None:
    page = report.render(figures(), advise(figures()), NOW)
    assert Page(page).loaded == []
    assert "url(" not in page
    assert "a &lt;fast&gt; machine" in page
    assert "3,600 of 1,600" in page
    for heading in ("What to expect", "What is fine", "Second by second", "What students did"):
        assert f"<h2>{heading}</h2>" in page
    assert "What went wrong" not in page


def test_the_report_of_a_failure_says_so() -> None:
    failed = figures(discrepancies=["<b>two</b> seats"])
    page = report.render(failed, advise(failed), NOW)
    assert "verdict failed" in page
    assert "&lt;b&gt;two&lt;/b&gt; seats" in page


def test_every_chart_is_valid_svg_and_says_in_words_what_it_shows() -> None:
    page = report.render(figures(), advise(figures()), NOW)
    charts = re.findall(r'<svg viewBox="0 0 480 220".*?</svg>', page, re.DOTALL)
    assert len(charts) == 4
    for chart in charts:
        drawing = ElementTree.fromstring(chart)  # noqa: S314  # our own page
        assert drawing.attrib["role"] == "img"
        assert "The opening is at 0 s." in drawing.attrib["aria-label"]


def test_the_json_has_the_figures_and_the_advice() -> None:
    full = figures(moments=[moment(1, 1, frozenset({KEYS[1], KEYS[0]}))])
    found = report.to_json(full, advise(full))
    assert found["moments"][0]["full"][0] == {"term": "Fall 2026", "courseID": "C000", "section": "01"}
    assert (found["succeeded"], found["setup"]["students"]) == (True, 1000)
    assert found["advice"][0].keys() == {"level", "title", "text"}


def test_the_database_is_named_after_the_school_s() -> None:
    assert database_name("FLASK_Enrollment") == "FLASK_Enrollment_rehearsal"
    assert database_name("x" * 60) == "x" * 28 + "_rehearsal"  # Atlas allows 38 characters


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("mongodb://h/school?replicaSet=a", "mongodb://h/other?replicaSet=a"),
        ("mongodb://h1:1,h2:2/school", "mongodb://h1:1,h2:2/other"),
        ("mongodb://h", "mongodb://h/other"),
        ("mongodb://u:p%2F@h/school?tls=true", "mongodb://u:p%2F@h/other?tls=true&authSource=school"),
        ("mongodb://u:p@h/?tls=true", "mongodb://u:p@h/other?tls=true&authSource=admin"),
        ("mongodb://u:p@h/school?authSource=users", "mongodb://u:p@h/other?authSource=users"),
        ("mongodb://u@h/school?authMechanism=MONGODB-X509", "mongodb://u@h/other?authMechanism=MONGODB-X509"),
    ],
)
def test_another_database_is_opened_by_the_same_user(uri: str, expected: str) -> None:
    assert other_database_uri(uri, "other") == expected


def test_an_opening_within_a_day_is_refused() -> None:
    far, near = replace(TERM, opens_at=datetime(2026, 3, 3, tzinfo=UTC)), replace(TERM, opens_at=NOW)
    check_openings([far], NOW)
    with pytest.raises(RehearsalRefused, match="2026-03-01 at 12:00"):
        check_openings([far, near], NOW)


def test_the_rehearsed_site_sends_no_emails_whatever_the_school_s_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SMTP_URL=smtp://mail.example\nMAIL_FROM=enroll@school.example\n")
    school = {"APP_ENV": "development", "SECRET_KEY": "k" * 40, "SMTP_URL": "smtp://mail.example"}
    assert Config.from_env(school, tmp_path).smtp_url
    assert not Config.from_env(school | SETTINGS_OF_ITS_OWN, tmp_path).smtp_url


RESPONSES = {
    b"/plain": b"HTTP/1.1 200 \r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\ncontent-length: 2\r\n\r\nok",
    b"/chunked": b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
    b"/json": b'HTTP/1.1 409 \r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"error": "x"}',
    b"/bye": b"HTTP/1.1 303 \r\nSet-Cookie: a=; Max-Age=0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    b"/broken": b"HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\nok",
}


async def test_a_browser_keeps_its_connection_and_cookies() -> None:
    heads: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                heads.append(head)
                path = head.split(b" ")[1]
                writer.write(RESPONSES[path])
                if path in (b"/bye", b"/broken"):
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    samples: list[Sample] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        browser = Browser(server.sockets[0].getsockname()[1], "10.0.0.1", samples.append)
        assert (await browser.get("/plain", "reads")).body == b"ok"
        assert browser.cookies == {"a": "1", "b": "2"}
        assert (await browser.get("/chunked", "reads")).body == b"abcd"
        refused = await browser.get("/json", "reads")
        assert (refused.status, refused.data) == (409, {"error": "x"})
        assert connections == 1
        assert (await browser.get("/bye", "leaves")).status == 303
        assert browser.cookies == {"b": "2"}
        assert (await browser.get("/broken", "reads")).status == 0
        browser.close()
    assert connections == 2
    assert b"Cookie: a=1; b=2\r\n" in heads[1]
    assert b"X-Forwarded-For: 10.0.0.1\r\n" in heads[0]
    assert [sample.status for sample in samples] == [200, 200, 409, 303, 0]
