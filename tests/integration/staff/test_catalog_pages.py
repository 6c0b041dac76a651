"""The pages about terms and courses, and the copy of a term's sections into another."""

import re
from dataclasses import replace
from html import unescape

import pytest
from wtforms.fields.core import UnboundField

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, sections, terms
from quart_enroll.domain.models import SectionKey
from quart_enroll.forms.staff.catalog import NewCourseForm, NewTermForm
from quart_enroll.forms.staff.rows import RowForm
from quart_enroll.forms.staff.sections import NewSectionForm
from quart_enroll.pages.staff import courses as courses_pages
from quart_enroll.pages.staff import terms as terms_pages
from tests.support.people import ADA, FALL, LAST_FALL, RITA, Browser, Clock, seats_taken, text

TERM = {
    "opens_at": "2026-08-01",
    "add_deadline": "2026-09-14",
    "drop_deadline": "2026-09-14",
    "withdraw_deadline": "2026-10-31",
    "starts_on": "",
    "ends_on": "",
    "open_enrollment_at": "",
    "max_credits": "18",
    "timezone": "America/New_York",
}
"""Fall 2026 as it is stored."""

MORE_CREDITS = {"field": "max_credits", "old": "18", "new": "20"}
NO_PROGRESS = {"field": "in_progress_counts", "old": "yes", "new": "no"}
COURSE = {"title": "PHP 202", "description": "New", "credits": "4", "term": "Fall", "subject": "Web"}


async def set_roles(db: Database, *roles: str) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"roles": sorted(roles)}})


async def test_the_form_of_a_term_shows_its_last_days(rita: Browser) -> None:
    page = await rita.read("/staff/term?term=Fall+2026")
    for name, value in TERM.items():
        if value:
            assert f'value="{value}"' in page, name
    assert "CSRF" not in page
    assert (await rita.post("/staff/term?term=Fall+2026", form=TERM)).status_code == 303
    assert "Nothing was changed." in await rita.read("/staff/term?term=Fall+2026")


async def test_a_term_is_edited_and_logged(rita: Browser, db: Database) -> None:
    changed = TERM | {"max_credits": "20", "in_progress_counts": "no"}
    assert (await rita.post("/staff/term?term=Fall+2026", form=changed)).status_code == 303
    term = await terms.find(db, "Fall 2026")
    assert term is not None
    assert (term.max_credits, term.in_progress_counts) == (20, False)
    entry = await db.audit.find_one({"action": "term.edit"})
    assert entry is not None
    assert (entry["actor"], entry["changes"]) == (RITA.user_id, [MORE_CREDITS, NO_PROGRESS])
    await rita.post("/staff/term?term=Fall+2026", form=TERM | {"in_progress_counts": "yes"})
    assert "in_progress_counts" not in (await db.term.find_one({"term": "Fall 2026"}) or {})


async def test_a_later_deadline_says_first_who_gets_a_seat(
    rita: Browser, ada: Browser, bob: Browser, db: Database, clock: Clock
) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    await db.term.update_one({"term": "Fall 2026"}, {"$set": {"add_deadline": clock.now}})
    await db.section.update_one({"courseID": "3333"}, {"$set": {"capacity": 2}})
    page = await text(await rita.post("/staff/term?term=Fall+2026", form=TERM))
    assert "Bob Okafor (3333-01)" in page
    assert await seats_taken(db, "3333") == 1
    await rita.post("/staff/term?term=Fall+2026", form=TERM | {"confirmed": "y"})
    assert await seats_taken(db, "3333") == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("drop_deadline", "2026-09-01", "This must not come before “Last day to enroll”."),
        ("add_deadline", "soon", "Use a time like"),
        ("withdraw_deadline", "2026-09-01", "This must not come before"),
        ("timezone", "Mars", "Use the name of a time zone"),
        ("ends_on", "2026-12-01", ""),
    ],
)
async def test_wrong_dates_are_refused_beside_their_fields(
    rita: Browser, db: Database, field: str, value: str, sentence: str
) -> None:
    response = await rita.post("/staff/term?term=Fall+2026", form=TERM | {field: value})
    page = unescape(await text(response))
    assert response.status_code == 422
    wrong = "starts_on" if field == "ends_on" else field
    assert sentence in page.split(f'id="{wrong}-error"')[1].split("</div>")[0]
    assert await db.audit.count_documents({}) == 0


async def test_a_term_is_added_once(rita: Browser, db: Database) -> None:
    new = (
        TERM
        | {"term": "Summer 2027"}
        | {
            "opens_at": "2027-05-01",
            "add_deadline": "2027-06-01",
            "drop_deadline": "2027-06-01",
            "withdraw_deadline": "2027-07-01",
        }
    )
    assert (await rita.post("/staff/term/new", form=new)).location == "/staff/term?term=Summer+2027"
    response = await rita.post("/staff/term/new", form=new)
    assert response.status_code == 422
    assert "There is already a term with this name." in await text(response)
    assert await db.audit.count_documents({"action": "term.add"}) == 1


async def test_a_course_is_edited_and_logged(rita: Browser, db: Database) -> None:
    await rita.post("/staff/course?courseID=3333", form=COURSE)
    course = await courses.find(db, "3333")
    assert course is not None
    assert (course.title, course.description, course.subject) == ("PHP 202", "New", "Web")
    assert await db.audit.count_documents({"action": "course.edit", "about.courseID": "3333"}) == 1


async def test_an_unknown_prerequisite_is_refused_beside_its_field(rita: Browser, db: Database) -> None:
    response = await rita.post("/staff/course?courseID=3333", form=COURSE | {"prerequisites": "9999"})
    page = await text(response)
    assert response.status_code == 422
    assert "There is no course 9999" in page.split('id="prerequisites-error"')[1].split("</div>")[0]


@pytest.mark.parametrize(
    ("field", "rule", "message"),
    [
        ("requisite", "(1111 or 2222", "Character 1: this parenthesis has no matching “)”."),
        ("requisite", "1111 or 9999", "Character 9: There is no course 9999 in the catalog."),
        ("requisite", "1111 and 3333", "Character 10: A course can’t require itself."),
        ("restriction", "program: Nursing; level", "Character 24: write a colon here."),
    ],
)
async def test_an_error_in_a_written_rule_names_the_place(rita: Browser, field: str, rule: str, message: str) -> None:
    response = await rita.post("/staff/course?courseID=3333", form=COURSE | {field: rule})
    page = await text(response)
    assert response.status_code == 422
    assert message in page.split(f'id="{field}-error"')[1].split("</div>")[0]


async def test_a_requisite_is_stored_edited_and_removed(rita: Browser, db: Database) -> None:
    await rita.post("/staff/course?courseID=3333", form=COURSE | {"requisite": "(1111 OR 2222)"})
    assert (await db.course.find_one({"courseID": "3333"}) or {})["requisite"] == "1111 or 2222"
    assert 'value="1111 or 2222"' in await rita.read("/staff/course?courseID=3333")
    assert "1111 or 2222" in await rita.read("/staff/courses?format=csv")
    await rita.post("/staff/course?courseID=3333", form=COURSE | {"requisite": ""})
    assert "requisite" not in (await db.course.find_one({"courseID": "3333"}) or {})


async def test_the_rule_of_repeats_is_stored_edited_and_removed(rita: Browser, db: Database) -> None:
    rule = {"max_attempts": "2", "withdrawals_count": "yes", "repeat_action": "warn"}
    await rita.post("/staff/course?courseID=3333", form=COURSE | rule)
    stored = await db.course.find_one({"courseID": "3333"}) or {}
    assert [stored[name] for name in rule] == [2, True, "warn"]
    page = await rita.read("/staff/course?courseID=3333")
    assert '<option selected value="warn">' in page
    assert "2,yes,warn" in await rita.read("/staff/courses?format=csv")
    wrong = await rita.post("/staff/course?courseID=3333", form=COURSE | {"max_attempts": "two"})
    assert "must be a whole number" in (await text(wrong)).split('id="max_attempts-error"')[1].split("</div>")[0]
    none = {"max_attempts": "", "withdrawals_count": "no", "repeat_action": "refuse"}
    await rita.post("/staff/course?courseID=3333", form=COURSE | none)
    assert not rule.keys() & (await db.course.find_one({"courseID": "3333"}) or {}).keys()


async def test_a_course_is_added_once(rita: Browser, db: Database) -> None:
    new = COURSE | {"courseID": "4444"}
    assert (await rita.post("/staff/course/new", form=new)).location == "/staff/course?courseID=4444"
    assert (await rita.post("/staff/course/new", form=new)).status_code == 422
    assert await db.audit.count_documents({"action": "course.add"}) == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=java", ["2222"]),
        ("?subject=Web", ["3333"]),
        ("?sort=-credits", ["2222", "3333", "1111"]),
        ("?sort=title", ["2222", "3333", "1111"]),
        ("?page=2", []),
    ],
)
async def test_the_list_of_courses_is_searched_filtered_sorted_and_paged(
    rita: Browser, db: Database, query: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.course.update_one({"courseID": "3333"}, {"$set": {"subject": "Web"}})
    if "page" in query:
        monkeypatch.setattr(courses_pages, "ROWS_PER_PAGE", 2)
        found = ["3333"]
    assert re.findall(r'href="/staff/course\?courseID=(\d+)"', await rita.read(f"/staff/courses{query}")) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Spring 2027", "Fall 2026", "Fall 2025"]),
        ("?q=fall", ["Fall 2026", "Fall 2025"]),
        ("?q=nothing", []),
        ("?enrollment=coming", ["Spring 2027"]),
        ("?enrollment=open", ["Fall 2026"]),
        ("?enrollment=over", ["Fall 2025"]),
        ("?sort=name", ["Fall 2025", "Fall 2026", "Spring 2027"]),
        ("?sort=-drop_deadline", ["Spring 2027", "Fall 2026", "Fall 2025"]),
        ("?sort=max_credits", ["Fall 2026", "Fall 2025", "Spring 2027"]),
        ("?page=2", ["Fall 2025"]),
    ],
)
async def test_the_list_of_terms_is_searched_filtered_sorted_and_paged(
    rita: Browser, db: Database, query: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await terms.put_all(db, [LAST_FALL, replace(FALL, max_credits=12)])
    if "page" in query:
        monkeypatch.setattr(terms_pages, "ROWS_PER_PAGE", 2)
    page = await rita.read(f"/staff/terms{query}")
    assert [name.replace("+", " ") for name in re.findall(r'href="/staff/term\?term=([\w+]+)"', page)] == found
    assert ("No terms match." in page) == (not found)
    file = (await rita.read(f"/staff/terms{query or '?'}&format=csv")).splitlines()[1:]
    assert [line.partition(",")[0] for line in file] == (found if "page" not in query else ALL_TERMS)


ALL_TERMS = ["Spring 2027", "Fall 2026", "Fall 2025"]


@pytest.mark.parametrize(
    ("page", "entries"),
    [
        ("/staff/term/new?term=Fall+2026", TERM),
        ("/staff/course/new?courseID=3333", {"title": "PHP 202", "credits": "4", "term": "Fall"}),
    ],
)
async def test_a_copy_begins_with_the_same_values_and_no_name(
    rita: Browser, page: str, entries: dict[str, str]
) -> None:
    assert f'href="{page}"' in await rita.read(page.replace("/new", ""))
    shown = await rita.read(page)
    values = dict(re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', shown))
    assert {name: values[name] for name in entries} == entries
    assert [name for name in ("term", "courseID") if f'name="{name}"' in shown and values[name] == ""] == [
        "term" if "term/" in page else "courseID"
    ]


async def test_a_page_says_before_and_after_whose_credits_change(rita: Browser, ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    heavier = COURSE | {"credits": "5", "subject": ""}
    page = await text(await rita.post("/staff/course?courseID=3333", form=heavier))
    assert "The credits of 1 enrolled student change." in page
    await rita.post("/staff/course?courseID=3333", form=heavier | {"confirmed": "y"})
    page = await rita.read("/staff/course?courseID=3333")
    assert "Saved. The credits of 1 enrolled student have changed." in page


@pytest.mark.parametrize("form", [NewTermForm, NewCourseForm, NewSectionForm])
def test_a_form_has_every_field_that_a_file_can_have(form: type[RowForm]) -> None:
    offered = {name for name in dir(form) if isinstance(getattr(form, name), UnboundField)}
    assert {field.name for field in form.ROW()} - offered <= ONLY_IN_FILES


ONLY_IN_FILES = {"season", "year"}
"""Two columns in place of a term's name."""


async def test_schedulers_read_terms_and_courses_and_change_none(ada: Browser, db: Database) -> None:
    await set_roles(db, "scheduler")
    for path, form in (("/staff/term?term=Fall+2026", TERM), ("/staff/course?courseID=3333", COURSE)):
        assert '<form method="post" novalidate' not in await ada.read(path)
        assert (await ada.post(path, form=form)).status_code == 403
    assert (await ada.get("/staff/roll")).status_code == 403


async def test_a_roll_shows_the_sections_first_and_then_copies_them(rita: Browser, db: Database) -> None:
    await db.section.update_one({"term": "Fall 2026", "courseID": "3333"}, {"$set": {"status": "cancelled"}})
    restricted = {"$set": {"restriction": "program: Nursing"}}
    await db.section.update_one({"term": "Fall 2026", "courseID": "1111", "section": "02"}, restricted)
    wish = {"source": "Fall 2026", "target": "Spring 2027"}
    page = await text(await rita.post("/staff/roll", form=wish))
    assert "1 new section" in page
    assert "<p>1111-02</p>" in page
    assert "1 canceled section won’t be copied." in page
    assert await db.section.count_documents({"term": "Spring 2027"}) == 2
    await rita.post("/staff/roll", form=wish | {"confirmed": "y"})
    copied = await sections.find(db, SectionKey("Spring 2027", "1111", "02"))
    assert copied is not None
    assert (copied.capacity, copied.instructor, copied.status, copied.seats_taken) == (2, "", "active", 0)
    assert copied.restriction == "program: Nursing"
    await rita.post("/staff/roll", form=wish | {"confirmed": "y"})
    assert await db.section.count_documents({"term": "Spring 2027"}) == 3
    assert await db.audit.count_documents({"action": "term.roll"}) == 1


async def test_a_roll_copies_instructors_and_status_if_asked(rita: Browser, db: Database) -> None:
    wish = {"source": "Fall 2026", "target": "Spring 2027", "with_instructors": "y", "as_tentative": "y"}
    page = await text(await rita.post("/staff/roll", form=wish))
    assert 'name="with_instructors" value="y"' in page
    await rita.post("/staff/roll", form=wish | {"confirmed": "y"})
    copied = await sections.find(db, SectionKey("Spring 2027", "1111", "02"))
    assert copied is not None
    assert (copied.instructor, copied.status) == ("L. Haddad", "tentative")


async def test_a_term_is_not_copied_into_itself(rita: Browser) -> None:
    response = await rita.post("/staff/roll", form={"source": "Fall 2026", "target": "Fall 2026"})
    assert response.status_code == 422
