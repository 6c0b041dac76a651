"""The pages of the audit log and the access log, and the files with the same entries."""

import csv
import io
import re
import zipfile
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import access as access_rows
from quart_enroll.db.collections import audit as audit_rows
from quart_enroll.domain.audit import AccessEntry
from quart_enroll.pages.staff import logs
from quart_enroll.routes import ROUTES
from quart_enroll.services.accounts.rate_limiter import DOWNLOAD_RATES
from tests.support.people import ADA, BOB, FALL_MORNING, RITA, Browser, text
from tests.support.staff import EDIT, OVERRIDE

ADDED = replace(OVERRIDE, at=FALL_MORNING + timedelta(days=1), actor=BOB.user_id)
"""As if bob were staff too."""


@pytest.fixture
async def logged(db: Database) -> None:
    for entry in (EDIT, ADDED):
        await audit_rows.add(db, entry)
    for at in (FALL_MORNING, FALL_MORNING + timedelta(days=1)):
        await access_rows.add(db, AccessEntry(at, RITA.user_id, ADA.user_id, "staff_student"))


def rows(page: str) -> list[list[str]]:
    """Return the texts of the list's rows."""
    body = page.split('<tbody role="rowgroup">')[1].split("</tbody>")[0] if "<tbody" in page else ""
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
    return [[unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


async def csv_rows(browser: Browser, path: str) -> list[dict[str, str]]:
    file = await browser.read(path)
    return list(csv.DictReader(io.StringIO(file.removeprefix("\ufeff"), newline="")))


@pytest.mark.usefixtures("logged")
async def test_the_audit_log_shows_what_happened_with_the_latest_first(rita: Browser) -> None:
    assert rows(await rita.read("/staff/audit")) == [
        [
            *("Sep 2, 2026, 9:00:00 AM", "Bob Okafor", "Student enrolled", "PHP 202, section 01, Fall 2026"),
            *("Ada Winters", "=Graduates in spring\nOverrides: Exceed the capacity"),
        ],
        [
            *("Sep 1, 2026, 9:00:00 AM", "Rita Moreno", "Section edited", "PYT 101, section 01, Fall 2026"),
            *("", "capacity: 30 → 40\nroom: – → Hall 4"),
        ],
    ]


@pytest.mark.usefixtures("logged")
async def test_the_access_log_shows_who_opened_whose_record(rita: Browser) -> None:
    assert rows(await rita.read("/staff/access")) == [
        ["Sep 2, 2026, 9:00:00 AM", "Rita Moreno", "Ada Winters", "Student’s record", ""],
        ["Sep 1, 2026, 9:00:00 AM", "Rita Moreno", "Ada Winters", "Student’s record", ""],
    ]


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("actor=3", ["Section edited"]),
        ("actor=RITA@school.example", ["Section edited"]),
        ("person=1", ["Student enrolled"]),
        ("person=99", []),
        ("action=section.edit", ["Section edited"]),
        ("action=nonsense", ["Student enrolled", "Section edited"]),
        ("first_day=2026-09-02", ["Student enrolled"]),
        ("last_day=2026-09-01", ["Section edited"]),
        ("first_day=2026-09-01&last_day=2026-09-02", ["Student enrolled", "Section edited"]),
        ("actor=3&action=student.add", []),
    ],
)
async def test_filters_narrow_the_log_and_its_file(rita: Browser, db: Database, query: str, actions: list[str]) -> None:
    assert [row["Action"] for row in await csv_rows(rita, f"/staff/audit?{query}&format=csv")] == actions
    await db.audit.delete_many({"action": "export"})
    page = await rita.read(f"/staff/audit?{query}")
    assert [row[2] for row in rows(page)] == actions
    assert ("No entries match." in page) is not bool(actions)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("actor=zoe@school.example", "No account has this email or ID."),
        ("person=1&person=2", "This field was sent more than once."),
        ("first_day=yesterday", "Enter a date like 2026-12-31."),
        ("first_day=2026-09-02&last_day=2026-09-01", "Choose a day that isn’t before the first one."),
    ],
)
@pytest.mark.parametrize("path", ["/staff/audit", "/staff/access"])
@pytest.mark.usefixtures("logged")
async def test_a_filter_with_a_mistake_is_explained_beside_it(
    rita: Browser, path: str, query: str, sentence: str
) -> None:
    for file in ("", "&format=csv"):
        response = await rita.get(f"{path}?{query}{file}")
        assert response.status_code == 422
        page = await text(response)
        assert f'class="invalid-feedback">{sentence}' in page
        assert "There’s a problem" in page
        assert page.count(sentence) == 2  # also in the summary
        assert rows(page) == []


async def test_a_long_log_comes_in_pages_with_the_same_filters(
    rita: Browser, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ROWS_PER_PAGE", 2)
    for number in range(3):
        await audit_rows.add(db, replace(EDIT, at=FALL_MORNING + timedelta(minutes=number)))
        await audit_rows.add(db, ADDED)
    first = await rita.read("/staff/audit?actor=3")
    [earlier] = re.findall(r'<a rel="next" href="(.*?)"', first)
    second = await rita.read(unescape(earlier))
    assert [row[0] for row in rows(first) + rows(second)] == [f"Sep 1, 2026, 9:0{number}:00 AM" for number in (2, 1, 0)]
    assert 'rel="next"' not in second
    assert (await rita.get("/staff/audit?before=nothing")).status_code == 404


@pytest.mark.usefixtures("logged")
async def test_a_name_leads_to_the_other_entries_of_the_person(rita: Browser) -> None:
    page = await rita.read("/staff/audit?action=student.add")
    assert '<a href="/staff/audit?action=student.add&amp;person=1">Ada Winters</a>' in page


async def test_deleted_accounts_have_their_number(rita: Browser, db: Database) -> None:
    await audit_rows.add(db, replace(ADDED, user_id=99))
    assert rows(await rita.read("/staff/audit"))[0][4] == "Deleted account 99"


@pytest.mark.usefixtures("logged")
async def test_a_csv_file_has_every_column_with_times_of_the_school(rita: Browser) -> None:
    response = await rita.get("/staff/audit?format=csv")
    assert response.headers["Content-Disposition"] == "attachment; filename=audit-2026-09-01.csv"
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    [row] = await csv_rows(rita, "/staff/audit?format=csv&person=1")
    assert row == {
        "Time": "2026-09-02 09:00:00",
        "Done by": "Bob Okafor",
        "Done by (ID)": "2",
        "Action": "Student enrolled",
        "About": "PHP 202, section 01, Fall 2026",
        "Person": "Ada Winters",
        "Person (ID)": "1",
        "Reason": "'=Graduates in spring",
        "Overrides": "full",
        "Changes": "",
    }


@pytest.mark.usefixtures("logged")
async def test_an_xlsx_file_has_the_same_entries(rita: Browser) -> None:
    response = await rita.get("/staff/access?format=xlsx")
    assert response.headers["Content-Disposition"] == "attachment; filename=access-2026-09-01.xlsx"
    sheet = zipfile.ZipFile(io.BytesIO(await response.get_data(as_text=False))).read("xl/worksheets/sheet1.xml")
    assert sheet.count(b"<row ") == 3
    assert b"Ada Winters" in sheet


@pytest.mark.usefixtures("logged")
async def test_a_file_is_in_the_readers_language(rita: Browser) -> None:
    await rita.post("/language", form={"language": "es"})
    assert [row["Acción"] for row in await csv_rows(rita, "/staff/audit?format=csv&actor=3")] == ["Sección modificada"]


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("path", ["/staff/audit?format=csv&actor=3", "/staff/access?person=1&format=xlsx"])
async def test_an_export_is_itself_in_the_audit_log(rita: Browser, path: str) -> None:
    await rita.get(path)
    [row] = rows(await rita.read("/staff/audit?action=export"))
    assert row[1:4] == ["Rita Moreno", "List exported", path]


def test_a_route_of_a_list_shows_no_notices() -> None:
    """A page with notices may run its view twice, and an export would be recorded twice."""
    assert [one.path for one in ROUTES if one.shows_notices and "format" in (one.query_parameters or ())] == []


async def test_exports_are_limited(rita: Browser) -> None:
    for _ in range(DOWNLOAD_RATES[0].burst):
        assert (await rita.get("/staff/audit?format=csv")).status_code == 200
    assert (await rita.get("/staff/audit?format=csv")).status_code == 429


async def test_students_see_neither_log(ada: Browser, app: Quart) -> None:
    for path in ("/staff/audit", "/staff/access", "/staff/audit?format=csv"):
        assert (await ada.get(path)).status_code == 403
