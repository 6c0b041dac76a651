"""A school that has courses but no terms yet."""

import asyncio
from pathlib import Path

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from tests.support.people import Browser, message_after, text

MESSAGE = "No terms are available yet."


@pytest.fixture(autouse=True)
async def no_terms(db: Database) -> None:
    await db.term.delete_many({})
    await db.section.delete_many({})


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/enrollment", {"courseID": "1111"}),
        ("/enrollment", {"courseID": "1111", "term": "Fall 2026", "section": "01"}),
        ("/enrollment/drop", {"courseID": "1111"}),
        ("/enrollment/drop", {"courseID": "1111", "term": "Fall"}),
        ("/enrollment/swap", {"drop": "1111", "add": "3333"}),
        ("/waitlist", {"courseID": "1111"}),
        ("/waitlist", {"courseID": "1111", "drop_if_enrolled": "3333"}),
        ("/waitlist/leave", {"courseID": "1111"}),
    ],
)
async def test_without_terms_every_request_says_so(ada: Browser, path: str, form: dict[str, str]) -> None:
    assert MESSAGE in await message_after(ada, path, **form)
    response = await ada.post(path, form=form, headers={"Accept": "application/json"})
    body = await response.get_json()
    assert (response.status_code, body["error"], body["message"]) == (404, "no_terms", MESSAGE)


async def test_without_terms_every_page_works(ada: Browser) -> None:
    for path in ("/", "/enrollment", "/enrollment/history", "/api/", "/enrollment/form"):
        assert (await ada.get(path)).status_code == 200
    for path in ("/courses/", "/enrollment/form?courseID=1111", "/enrollment/form?courseID=1111&term=Fall"):
        response = await ada.get(path)
        assert response.status_code == 200
        assert MESSAGE in await text(response)
    response = await ada.get("/courses/Fall")
    assert response.status_code == 404
    assert MESSAGE in await text(response)


async def test_without_terms_sections_cannot_be_imported(app: Quart, tmp_path: Path) -> None:
    path = tmp_path / "sections.csv"
    path.write_text("term,courseID,section,capacity\nFall 2026,1111,01,9\n")
    result = await asyncio.to_thread(app.test_cli_runner().invoke, args=("import", "section", str(path)))
    assert result.exit_code == 1
    assert result.output == f"line 2: term “Fall 2026”: {MESSAGE}\nError: Nothing was imported.\n"


async def test_without_terms_existing_enrollments_stay(ada: Browser, db: Database) -> None:
    row = {"user_id": 1, "courseID": "1111", "term": "Fall 2026", "section": "01", "status": "enrolled"}
    await db.enrollment.insert_one(row, bypass_document_validation=True)
    assert MESSAGE in await message_after(ada, "/enrollment/drop", courseID="1111")
    assert (await ada.get("/enrollment")).status_code == 200
    assert await db.enrollment.count_documents({}) == 1
