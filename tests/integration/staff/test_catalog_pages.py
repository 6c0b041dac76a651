"""The pages about terms and courses, and the copy of a term's sections into another."""

from html import unescape

import pytest

from quart_enroll.db.client import Database
from quart_enroll.db.collections import courses, sections, terms
from quart_enroll.domain.models import SectionKey
from tests.support.people import ADA, RITA, Browser, Clock, seats_taken, text

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


async def test_the_list_of_courses_is_searched(rita: Browser) -> None:
    page = await rita.read("/staff/courses?q=java")
    assert "JAV 201" in page
    assert "PHP 202" not in page


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
