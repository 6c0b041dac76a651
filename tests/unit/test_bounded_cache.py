"""No cache takes more memory than its budget, whatever keys visitors make up."""

import ast
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import URLSafeTimedSerializer

import quart_enroll
from quart_enroll import bounded_cache
from quart_enroll.bounded_cache import ByteCache
from quart_enroll.db.queries import student_facts
from quart_enroll.domain.catalog import CourseSections
from quart_enroll.domain.models import Course
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.pages.catalog import course_rows
from quart_enroll.web import cookies, request
from tests.bench.school_data import course, section
from tests.support.people import FALL

PACKAGE = Path(quart_enroll.__file__).parent

BOUNDED_BY_THE_SCHOOL = {
    "web.application.ensure_async": "the site's own functions",
    "forms.base._bound_once": "fields of the forms",
    "forms.base.wtforms_translations": "languages of the site",
    "i18n.language.locale_of": "the same",
    "i18n.language._seasons": "the same",
    "i18n.timezones.known_timezones": "time zones of CLDR",
    "i18n.timezones._choices": "languages of the site",
    "i18n.language._clock": "times in forms",
    "i18n.language._hour": "24 hours",
    "i18n.language.native_name": "the same",
    "observability.metrics._request_metrics": "endpoints, a few methods and statuses",
    "web.templating._language_names": "languages of the site",
    "web.jinja_environment._translated_markup": "the site's own sentences",
    "fastpath.hypercorn_writer._server_header_lines": "one entry",
    "fastpath.hypercorn_writer._framing": "1000 statuses with a length",
    "domain.course_heading.course_heading": "courses of the catalog",
    "domain.requisite_parser.stored": "courses of the catalog",
    "domain.restrictions.stored": "courses and sections of the catalog",
    "domain.course_index._course_key": "courses of the catalog",
    "domain.course_index._names": "courses of the catalog",
    "domain.filter_choices._building": "rooms of the catalog",
    "domain.filter_choices._level": "courses of the catalog",
    "domain.search_index.fold_name": "instructors of the catalog",
    "db.section_keys._shared_key": "sections in the database",
    "pages.enrollment.week_texts._week_of": "meetings of sections",
    "pages.enrollment.week_texts._boxes": "the same, in the layouts of weeks",
    "db.collections.sections._meeting": "meetings of sections",
    "pages.live_url._parameter": "terms, and courses that the school has or had",
    "forms.imports.columns.required": "kinds of imports",
    "forms.search.parameters": "one entry",
    "server.connections.client_connections": "one entry",
    "server.supervisor.this_worker": "one entry",
    "services.accounts.password_policy._common_passwords": "one entry",
    **{f"web.overrides.check.{name}": "a school's own templates" for name in ("_reach", "_given", "_stored")},
    "web.overrides.check._undeclared": "the same",
    "web.overrides.check._all_references": "the same",
    "web.access_log._own_parts": "one entry for each application",
    "web.compression.choose_encoding": "200 characters each",
    "web.locale.choose": "220 characters each",
    "web.request._prefers_json": "200 characters each",
}
"""Functions that may cache without a budget, and why visitors can't make those caches large."""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> ByteCache[str, str]:
    monkeypatch.setitem(bounded_cache.CACHE_BYTES, "numbers", 10_000)
    return ByteCache("numbers", bounded_cache.size_of_entry)


def test_the_least_recently_used_entry_makes_room(cache: ByteCache[str, str]) -> None:
    for key in ("a", "b", "c"):
        cache[key] = "x" * 2000
    assert cache.get("a") is not None
    for key in ("d", "e"):
        cache[key] = "x" * 2000
    assert list(cache) == ["c", "a", "d", "e"][-len(cache) :]
    assert cache.currsize <= 10_000


def test_a_long_key_counts_too(cache: ByteCache[str, str]) -> None:
    for number in range(100):
        cache[f"{number}" + "k" * 3000] = ""
    assert len(cache) == 2


def test_an_entry_larger_than_the_budget_is_not_cached_and_displaces_nothing(cache: ByteCache[str, str]) -> None:
    cache["a"], cache["b"] = "old", "small"
    cache["a"] = "x" * 20_000
    assert (cache.get("a"), cache.get("b")) == (None, "small")


def test_the_callback_gets_every_entry_that_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bounded_cache.CACHE_BYTES, "numbers", 2000)
    left: list[tuple[str, str]] = []
    cache: ByteCache[str, str] = ByteCache("numbers", lambda *_: 400, lambda *one: left.append(one))
    for key in ("a", "b", "c"):
        cache[key] = key.upper()
    del cache["b"]
    assert left == [("a", "A"), ("b", "B")]


def test_all_budgets_together_leave_room_for_the_process() -> None:
    assert bounded_cache.TOTAL_CACHE_BYTES <= 74_000_000


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_other_cache_has_keys_made_up_by_visitors(path: Path) -> None:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    unbounded = [
        name for name in _remembering(ast.parse(path.read_text())) if f"{module}.{name}" not in BOUNDED_BY_THE_SCHOOL
    ]
    assert unbounded == []


def _remembering(tree: ast.Module) -> list[str]:
    """Return the functions of a module that functools caches, and other names bound to such a cache."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name, decorator_list=[*marks]) if any(map(_is_lru, marks)):
                found.append(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=call)) if _is_lru(call):
                found.append(name)
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Call(func=call)) if _is_lru(call):
                found.append(name)
    return found


def _is_lru(node: ast.expr) -> bool:
    return any(isinstance(one, ast.Name) and one.id in ("cache", "lru_cache") for one in ast.walk(node))


def bytes_of(thing: object, shared: tuple[type, ...] = ()) -> int:
    """Return the bytes of an object with everything in it, except objects of the `shared` types."""
    seen: set[int] = set()

    def measure(one: Any) -> int:
        if id(one) in seen or one is None or isinstance(one, (bool, *shared)):
            return 0
        seen.add(id(one))
        parts: list[Any] = []
        if isinstance(one, dict):
            parts = [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            parts = list(one)
        elif is_dataclass(one):
            parts = [getattr(one, field.name) for field in fields(one)]
        return sys.getsizeof(one) + sum(map(measure, parts))

    return measure(thing)


@pytest.mark.parametrize("sections", [1, 3, 9])
def test_cached_rows_are_not_larger_than_their_estimate(sections: int) -> None:
    found = CourseSections(course(7), tuple(section(7, seats) for seats in range(sections)))
    row = course_rows.shared_row(FALL, found, datetime(2026, 9, 1, tzinfo=UTC), signed_in=True)
    assert bytes_of(row, (Course,)) <= course_rows.row_bytes(row)


@pytest.mark.parametrize("number", [0, 5, 60])
def test_facts_about_a_student_are_not_larger_than_their_estimate(number: int) -> None:
    rows = {"term": "Fall 2026", "section": "01", "status": "enrolled"}
    seats = tuple(student_facts._seat(rows | {"courseID": str(10_000 + one)}) for one in range(number))
    facts = StudentSnapshot(seats, (), frozenset(), (), None, frozenset(), "")
    texts = {id(one): sys.getsizeof(one) for seat in seats for one in (seat.key.courseID, seat.key.term)}
    assert bytes_of(facts) - sum(texts.values()) <= facts.size  # students share the texts


def a_cookie(number: int) -> str:
    return URLSafeTimedSerializer("secret").dumps({"csrf": f"{number:040}", "list": list(range(number % 50))})


INVENTED: list[tuple[str, int, Callable[[int], object]]] = [
    ("session cookies", 800, lambda number: signed.read(a_cookie(number), 1e9)),
    ("cookie headers", 60, lambda number: request._parse_cached(f"a={number};" + "b=c;" * 200)),
    (
        "cookie headers",
        60,
        lambda number: request._parse_cached(f"a={number};" + ";".join(f"c{one}=d" for one in range(150))),
    ),
    ("cookie headers", 60, lambda number: request._parse_cached(f"a={number};" + ";" * 900)),
    ("cookie headers", 400, lambda number: request._parse_cached(f"a={number};" + "b" * 900)),
]
signed = cookies.SignedValues(URLSafeTimedSerializer("secret"), "session cookies")


@pytest.mark.parametrize(("name", "times", "invent"), INVENTED)
def test_made_up_cookies_take_no_more_than_the_budget(name: str, times: int, invent: Callable[[int], object]) -> None:
    invent(-1)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(times):
            invent(number)
        assert tracemalloc.get_traced_memory()[0] - before <= bounded_cache.CACHE_BYTES[name]
    finally:
        tracemalloc.stop()
