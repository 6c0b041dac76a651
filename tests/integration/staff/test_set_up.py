"""An empty school's registrar is led through the set-up."""

import re
from html import unescape

from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from tests.support.people import FALL, SECTIONS, Browser


def done_and_next(page: str) -> tuple[int, list[str]]:
    """Return how many steps are done, and where the next one leads, besides to imports."""
    steps = page.split('class="panel set-up"')[1].split("</section>")[0]
    urls = re.findall(r'href="([^"]+)"', unescape(steps))
    return steps.count("Done"), [url for url in urls if url != "/staff/imports"]


async def test_the_steps_lead_to_the_first_opening(rita: Browser, db: Database) -> None:
    students = await db.user.find({"roles": "student"}).to_list(None)
    courses = await db.course.find().to_list(None)
    for name in ("term", "course", "section"):
        await db[name].delete_many({})
    await db.user.delete_many({"roles": "student"})
    assert done_and_next(await rita.read("/staff")) == (0, ["/staff/term/new"])
    await terms.put_all(db, [FALL])
    assert done_and_next(await rita.read("/staff")) == (2, ["/staff/courses"])  # and there was nothing to rehearse
    await db.course.insert_many(courses)
    assert done_and_next(await rita.read("/staff")) == (3, ["/staff/sections"])
    await sections.put_all(db, SECTIONS[:1])
    assert done_and_next(await rita.read("/staff")) == (4, ["/staff/people"])
    await db.user.insert_many(students)
    assert "set-up" not in await rita.read("/staff")


async def test_the_last_step_is_a_rehearsal(rita: Browser, db: Database) -> None:
    await db.term.delete_one({"term": "Fall 2026"})
    assert done_and_next(await rita.read("/staff")) == (4, [])


async def test_only_registrars_set_up_the_school(sami: Browser, db: Database) -> None:
    await db.term.delete_many({})
    assert "set-up" not in await sami.read("/staff")
