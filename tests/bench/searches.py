"""How long a search of the catalog takes among 5,000 sections, whatever a student types."""

import csv
import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from statistics import quantiles

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Course, Section
from quart_enroll.domain.search import Search, search
from tests.bench.bench_run import BenchRun
from tests.bench.figures import Goal, Row, Spread
from tests.support.people import FALL
from tests.support.processes import PROJECT

SECTIONS = 5000
INSTRUCTORS = 1500
MAX_MS = 5.0

TYPED = (
    "intro to biology",
    "calculus",
    "calulus",
    "histroy of the renaisance",
    "maths",
    "comp sci",
    "poli sci",
    "labs",
    "art history",
    "organic chemistry lab",
    "phsyics",
    "BIO 101",
    "cs101",
    "statistics garcia",
    "hernandes",
    "programming in python",
    "psycology",
    "no such course",
    "a b c d e f",
)
"""What students type, right and wrong, by subject, number, topic and name."""


def measure(run: BenchRun) -> list[Row]:
    """Search after each letter that is typed, each time in a catalog in which a seat has moved."""
    catalog = create_catalog()
    rounds = [list(_milliseconds(catalog)) for _ in range(1 + run.plan.rounds)]
    slowest = [quantiles(times, n=100)[-1] for times in rounds[1:]]  # the first round builds the index
    build = max(rounds[0])
    return [
        Row(
            f"searches of {SECTIONS:,} sections, the slowest of a hundred",
            "ms",
            Spread(tuple(slowest)),
            goals=[Goal("ms for the slowest of a hundred searches", max(slowest), at_most=MAX_MS)],
            note=f"{len(rounds[0])} searches in a round; the first after a change of the courses takes {build:.0f} ms",
        )
    ]


def create_catalog() -> Catalog:
    """Return the demo's courses, offered by as many departments as there must be for 5,000 sections, one each."""
    rng = random.Random(1)  # noqa: S311  # chance, and no secrets
    school = json.loads((PROJECT / "data" / "demo-school.json").read_text("utf-8"))
    names = [" ".join(name) for name in product(school["first_names"], school["last_names"])]
    instructors = rng.sample(names, INSTRUCTORS)
    with (PROJECT / "data" / "demo-courses.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    courses = []
    for number in range(SECTIONS):
        row, copy = rows[number % len(rows)], number // len(rows)
        courseID = f"{row['courseID']}{chr(ord('A') + copy)}" if copy else row["courseID"]
        made_up = "".join(rng.choices("aeioubcdfglmnprst", k=rng.randint(5, 10)))  # a real catalog has more words
        courses.append(
            Course(courseID, courseID, f"{row['description']} {made_up.title()}.", 3, "Fall", row["subject"])
        )
    courses.sort(key=lambda course: course.courseID)
    sections = [
        Section(FALL.term, course.courseID, "01", 90, 0, instructor=rng.choice(instructors), room=f"Hall {number % 30}")
        for number, course in enumerate(courses)
    ]
    return Catalog(tuple(courses), (FALL,), tuple(sections))


def _milliseconds(catalog: Catalog) -> Iterator[float]:
    """Yield how long each search takes, with what the page says about its spelling."""
    for number, words in enumerate(typed for text in TYPED for typed in _as_typed(text)):
        sections = list(catalog.sections)
        sections[number] = replace(sections[number], seats_taken=1)
        catalog = catalog.with_sections(sections, [sections[number]])
        started = time.perf_counter()
        search(catalog, FALL, Search(words=words))
        yield (time.perf_counter() - started) * 1000


def _as_typed(text: str) -> Iterator[str]:
    yield from (text[:end] for end in range(1, len(text) + 1) if text[end - 1] != " ")
