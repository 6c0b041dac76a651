"""The pages of a student's own, joined from shared texts, are those that are rendered as a whole for the student."""

import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database, Document
from quart_enroll.db.queries import message_codec
from quart_enroll.domain.errors import CreditLimit
from quart_enroll.domain.models import Meeting, User
from quart_enroll.pages.enrollment import week_texts
from quart_enroll.state import EXTENSION, AppState
from tests.integration.cache.test_no_leaks import VARYING_TEXT, sign_in
from tests.support.people import (
    ADA,
    BOB,
    EVENINGS,
    FALL,
    FALL_MORNING,
    SECTIONS,
    SPRING,
    Clock,
    config,
    midnight,
    offer_course,
    text,
)

pytestmark = pytest.mark.caches

PATHS = (
    "/enrollment",
    "/enrollment?term=Spring+2027",
    "/plan",
    "/plan?term=Spring",
    "/courses/",
    "/course/1111",
    "/course/4444",
    "/",
)
LANGUAGES = ("en", "es")
STATES = ("enrolled", "withdrawn", "waiting", "skipped", "planned", "refused", "alert", "", "")
MOMENTS = (
    FALL.opens_at - timedelta(days=1),
    FALL_MORNING,
    midnight(2026, 9, 2) - timedelta(minutes=1),
    midnight(2026, 9, 2),
    FALL.drop_deadline,
    FALL.withdraw_deadline - timedelta(seconds=1),
    FALL.withdraw_deadline,
    SPRING.opens_at,
)
CHANGES: Sequence[Document] = (
    {"room": "Hall 99"},
    {"instructor": "N. Ever"},
    {"waiting": 2},
    {"seats_taken": 30},
    {"seats_taken": 0},
    {"meetings": [{"days": "MWF", "start": "09:30", "end": "10:20"}]},
    {"meetings": []},
)
MORE_COURSES: Sequence[tuple[str, str, Sequence[Meeting], dict[str, Any]]] = (
    ("4444", "Needs <PYT>", EVENINGS, {"corequisites": ("1111",), "prerequisites": ("2222",)}),
    ("5555", "Weekend", (Meeting("SU", "09:30", "10:45"),), {}),
    ("6666", "Online", (), {}),
    ("7777", "Late", (Meeting("TR", "19:00", "20:15"), Meeting("F", "21:00", "22:10")), {}),
)

REASON = message_codec.encode(CreditLimit("<Needs>", adds=4, has=16, limit=18).message)


@pytest.fixture
async def db(db: Database) -> Database:
    for courseID, title, times, facts in MORE_COURSES:
        await offer_course(db, courseID, title, times, **facts)
    return db


@pytest.fixture
async def apps(db: Database, mongod: str, clock: Clock) -> AsyncIterator[tuple[Quart, Quart]]:
    """The site as it is served, and one that shares no texts."""
    shared = create_app(config(mongo_uri=mongod), clock=clock)
    shared.config["TEMPLATES_AUTO_RELOAD"] = False
    whole = create_app(config(mongo_uri=mongod), clock=clock, fastpath=False, fragment_cache=False)
    async with AsyncExitStack() as stack:
        for app in (shared, whole):
            await stack.enter_async_context(app.test_app())
        yield shared, whole


async def test_random_students_see_what_is_rendered_for_each_of_them(
    apps: tuple[Quart, Quart], db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, _ = apps
    dice = random.Random(16)  # noqa: S311  # the same students each time
    plain_week, plain_weeks = week_texts.plain_week, []

    def count(*arguments: Any) -> Any:
        found = plain_week(*arguments)
        plain_weeks.append(found is not None)
        return found

    for moment in MOMENTS:
        clock.now = moment
        cookies = {user: await sign_in(shared, user) for user in (ADA, BOB)}
        for _ in range(3):
            for user in cookies:
                await _replace_rows(db, user, moment, dice)
            await _change_a_section(db, dice)
            with monkeypatch.context() as patch:
                patch.setattr(week_texts, "plain_week", count)
                await _compare(apps, cookies, LANGUAGES)
    assert 0.3 < sum(plain_weeks) / len(plain_weeks) < 0.9


@pytest.mark.parametrize(
    ("courses", "other_courses"),
    [([], ["1111"]), (["4444"], ["4444", "1111"]), (["1111"], ["1111", "5555"]), (["1111"], ["1111", "6666"])],
    ids=["nothing", "a missing corequisite", "a weekend", "no fixed times"],
)
async def test_two_students_see_what_differs(
    apps: tuple[Quart, Quart], db: Database, courses: Sequence[str], other_courses: Sequence[str]
) -> None:
    cookies = {user: await sign_in(apps[0], user) for user in (ADA, BOB)}
    for user, courseIDs in ((ADA, courses), (BOB, other_courses)):
        for courseID in courseIDs:
            await db.enrollment.insert_one(_enrollment(user, courseID))
    await _compare(apps, cookies)


async def test_a_drop_asks_first_once_someone_is_waiting(apps: tuple[Quart, Quart], db: Database) -> None:
    cookies = {ADA: await sign_in(apps[0], ADA)}
    await db.enrollment.insert_one(_enrollment(ADA, "1111"))
    section = {"term": FALL.term, "courseID": "1111", "section": "01"}
    for waiting in (0, 1, 0):
        await db.section.update_one(section, {"$set": {"waiting": waiting}})
        await _compare(apps, cookies)


def _enrollment(user: User, courseID: str) -> Document:
    key = {"courseID": courseID, "term": FALL.term, "section": "01"}
    return {"user_id": user.user_id, **key, "status": "enrolled", "enrolled_at": FALL_MORNING}


async def _compare(apps: tuple[Quart, Quart], cookies: Mapping[User, str], languages: Sequence[str] = ("en",)) -> None:
    """Compare each page of these students, from shared texts and rendered as a whole."""
    shared, whole = apps
    for app in apps:
        await _forget(app)
    for path, language, user in product(PATHS, languages, cookies):
        headers = {"Cookie": cookies[user], "Accept-Language": language}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(week_texts, "plain_week", lambda *_: None)
            expected = await _read(whole, path, headers)
        assert f'name="next" value="{path}"' in expected
        for _ in range(2):
            assert await _read(shared, path, headers) == expected, (path, user)


async def _replace_rows(db: Database, user: User, moment: datetime, dice: random.Random) -> None:
    """Give the student another state in each section, at most one for each course."""
    for collection in (db.enrollment, db.waitlist, db.plan, db.alert):
        await collection.delete_many({"user_id": user.user_id})
    more = [{"term": FALL.term, "courseID": courseID, "section": "01"} for courseID, *_ in MORE_COURSES]
    keys = [{"term": one.term, "courseID": one.courseID, "section": one.section} for one in SECTIONS] + more
    courses = set()
    for place, key in enumerate(dice.sample(keys, len(keys)), 1):
        state, course = dice.choice(STATES), (key["term"], key["courseID"])
        row = {"user_id": user.user_id, **key}
        if course in courses:
            continue
        courses.add(course)
        match state:
            case "enrolled" | "withdrawn":
                await db.enrollment.insert_one(row | {"status": state, "enrolled_at": moment})
            case "waiting" | "skipped":
                more_fields = {
                    "place": 10 * place + user.user_id,
                    "joined_at": moment,
                    "drop_if_enrolled": dice.choice([None, "1111"]),
                    "skipped_because": REASON if state == "skipped" else None,
                }
                await db.waitlist.insert_one(row | more_fields)
            case "planned" | "refused":
                ends = moment + timedelta(days=300)
                because = {"because": REASON} if state == "refused" else {}
                await db.plan.insert_one(row | {"place": place, "added_at": moment, "expires_at": ends} | because)
            case "alert":
                await db.alert.insert_one(row | {"asked_at": moment, "expires_at": moment + timedelta(days=300)})


async def _change_a_section(db: Database, dice: random.Random) -> None:
    courseID = dice.choice(["1111", "3333", "4444", "6666"])
    await db.section.update_one({"courseID": courseID, "term": FALL.term}, {"$set": dice.choice(CHANGES)})


async def _forget(app: Quart) -> None:
    state: AppState = app.extensions[EXTENSION]
    state.user_cache.students.clear()
    await state.catalog_cache.reload()


async def _read(app: Quart, path: str, headers: dict[str, str]) -> str:
    """Return the page without what differs between two responses, and without blanks that no reader sees."""
    response = await app.test_client(use_cookies=False).get(path, headers=headers)
    assert response.status_code == 200
    page = re.sub(r"data-now=\"\d+\"", "", VARYING_TEXT.sub("", await text(response)))
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", re.sub(r"\s+", " ", page))
