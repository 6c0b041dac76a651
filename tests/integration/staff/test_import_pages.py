"""The pages of an import: a file, its columns, what it would do, one button, and its outcome."""

import asyncio
import io
import zipfile
from datetime import timedelta
from html import unescape

import pytest
from quart import Quart
from quart.datastructures import FileStorage
from quart.wrappers import Response

from quart_enroll.db.client import Database
from quart_enroll.forms.imports.enrollments import EnrollmentRow
from quart_enroll.state import EXTENSION, AppState
from tests.support.people import ADA, BOB, PASSWORD, RITA, Browser, Clock, seats_taken, text

NEW = "/staff/import/new"
PEOPLE = "Contact,First name,Family name\nnina@school.example,Nina,Berg\nada@school.example,Ada,Summers\n"

PEOPLE_COLUMNS = {"column_0": "email", "column_1": "first_name", "column_2": "last_name"}
SECTION_COLUMNS = {"column_0": "term", "column_1": "courseID", "column_2": "section", "column_3": "capacity"}


async def upload(browser: Browser, kind: str, data: bytes | str, filename: str = "file.csv", **form: str) -> Response:
    body = data if isinstance(data, bytes) else data.encode()
    files = {"file": FileStorage(io.BytesIO(body), filename)}
    return await browser.post(NEW, form={"kind": kind, **form}, files=files)


async def match(app: Quart, browser: Browser, uploaded: Response, **columns: str) -> str:
    """Match the columns, wait for the check, and return the URL of the import."""
    assert uploaded.status_code == 303, await text(uploaded)
    response = await browser.post(uploaded.location, form=columns)
    assert response.status_code == 303, await text(response)
    await settle(app)
    return str(response.location)


async def settle(app: Quart) -> None:
    state: AppState = app.extensions[EXTENSION]
    async with asyncio.timeout(60):
        await state.import_wakeup.settle()


async def begin(browser: Browser, url: str, checks: int = 1) -> Response:
    """Press the button of the preview, which was found by that many checks of the file."""
    return await browser.post(url, form={"checks": str(checks)})


async def page(browser: Browser, url: str) -> str:
    return unescape(await browser.read(url))


async def test_a_file_is_matched_checked_and_imported(app: Quart, rita: Browser, db: Database) -> None:
    uploaded = await upload(rita, "user", PEOPLE)
    proposed = await page(rita, uploaded.location)
    assert "nina@school.example" in proposed
    assert 'selected value="first_name"' in proposed
    url = await match(app, rita, uploaded, **PEOPLE_COLUMNS)
    preview = await page(rita, url)
    assert "last_name: “Winters” → “Summers”" in preview
    assert "nina@school.example, Nina, Berg" in preview
    assert await db.user.count_documents({"email": "nina@school.example"}) == 0
    assert (await begin(rita, url)).status_code == 303
    await settle(app)
    assert "Imported" in await page(rita, url)
    assert await db.user.count_documents({"email": "nina@school.example"}) == 1
    outcome = await text(await rita.get(f"{url}&format=csv"))
    assert "3,Changed" in outcome
    entry = await db.audit.find_one({"action": "import"})
    assert entry is not None
    assert (entry["actor"], entry["about"]) == (RITA.user_id, {"kind": "user", "name": "file.csv"})
    assert "file.csv" in await rita.read("/staff/imports")
    assert "file.csv,People,2026-09-01" in await rita.read("/staff/imports?format=csv")


async def test_a_second_click_on_the_button_does_nothing(app: Quart, rita: Browser, db: Database) -> None:
    uploaded = await upload(rita, "user", PEOPLE)
    url = await match(app, rita, uploaded, **PEOPLE_COLUMNS)
    for _ in range(2):
        assert (await begin(rita, url)).status_code == 303
    await settle(app)
    assert await db.audit.count_documents({"action": "import"}) == 1


async def test_nobody_imports_what_they_have_not_seen(app: Quart, rita: Browser, db: Database) -> None:
    uploaded = await upload(rita, "user", PEOPLE)
    url = await match(app, rita, uploaded, **PEOPLE_COLUMNS)
    assert 'name="checks" value="1"' in await page(rita, url)
    await match(app, rita, uploaded, **PEOPLE_COLUMNS | {"column_2": ""})  # in another tab, or by someone else
    await begin(rita, url)
    await settle(app)
    assert await db.user.count_documents({"email": "nina@school.example"}) == 0
    assert "The file has been checked again in the meantime." in await page(rita, url)
    assert 'name="checks" value="2"' in await page(rita, url)


async def test_the_author_is_the_person_who_pressed_the_button(
    app: Quart, rita: Browser, ada: Browser, db: Database
) -> None:
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": {"roles": ["registrar"]}})
    url = await match(app, ada, await upload(ada, "user", PEOPLE), **PEOPLE_COLUMNS)
    await begin(rita, url)
    await settle(app)
    assert await db.audit.count_documents({"action": "import", "actor": RITA.user_id}) == 1


async def test_contradictory_columns_are_refused(app: Quart, rita: Browser) -> None:
    uploaded = await upload(rita, "user", PEOPLE)
    twice = await rita.post(uploaded.location, form={"column_0": "email", "column_1": "email", "column_2": ""})
    assert twice.status_code == 422
    assert "“Contact” is already matched with this field." in unescape(await text(twice))
    none = await rita.post(uploaded.location, form={"column_0": "", "column_1": "first_name", "column_2": ""})
    assert "No column is matched with: email." in unescape(await text(none))


async def test_refused_rows_name_row_column_and_reason_and_nothing_is_imported(
    app: Quart, rita: Browser, db: Database
) -> None:
    uploaded = await upload(rita, "section", "term,courseID,section,capacity\nFall 2026,1111,03,many\n")
    url = await match(app, rita, uploaded, **SECTION_COLUMNS)
    shown = await page(rita, url)
    assert "This must be a whole number" in shown
    assert "“many”" in shown
    assert "Import 1 row" not in shown
    await begin(rita, url)
    await settle(app)
    assert await db.section.count_documents({"section": "03"}) == 0
    assert "Match the columns again" in shown


async def test_a_character_that_no_database_stores_is_refused_beside_its_row(app: Quart, rita: Browser) -> None:
    rows = r'[{"email": "a@b.example", "first_name": "A", "password": "pbkdf2:\ud800$a$0", "\udfff": "\ud800"}]'
    uploaded = await upload(rita, "user", rows, "\0.json")
    columns = {"column_0": "email", "column_1": "first_name", "column_2": "password", "column_3": ""}
    shown = await page(rita, await match(app, rita, uploaded, **columns))
    assert "This contains unreadable characters." in shown


async def test_the_reader_decides_the_language_of_what_was_wrong_with_a_file(app: Quart, rita: Browser) -> None:
    lines = ["term,courseID,section,capacity", f"Fall 2026,{'1' * 21},03,many", "Fall 2026,1111,03,"]
    url = await match(app, rita, await upload(rita, "section", "\n".join(lines)), **SECTION_COLUMNS)
    enrollments = ["Student,term,courseID,section,action", f"{BOB.email},Fall 2026,1111,77,add"]
    mapped = ENROLLMENT_COLUMNS | {"column_5": ""}
    other = await match(app, rita, await upload(rita, "enrollment", "\n".join(enrollments), reason="Advised"), **mapped)
    english = ("This must be a whole number, like 30.", "Use at most 20 characters.", "capacity is missing.")
    assert [sentence in await page(rita, url) for sentence in english] == [True] * 3
    assert "There is no section 77 of 1111 in Fall 2026." in await page(rita, other)
    await rita.post("/language", form={"language": "es"})
    spanish = ("Debe ser un número entero, como 30.", "Usa como máximo 20 caracteres.", "Falta capacity.")
    assert [sentence in await page(rita, url) for sentence in spanish] == [True] * 3
    shown = await page(rita, other)
    assert "No hay ninguna sección 77 de 1111 en " in shown
    assert "Columnas leídas: “Student” → student." in shown
    refused = await upload(rita, "user", b"%PDF-1.7", "file.pdf")
    assert "Esto es un documento PDF" in unescape(await text(refused))


async def test_the_preview_says_who_gains_a_seat(
    app: Quart, rita: Browser, ada: Browser, bob: Browser, db: Database
) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    await bob.post("/waitlist", form={"courseID": "3333"})
    uploaded = await upload(rita, "section", "term,courseID,section,capacity\nFall 2026,3333,01,2\n")
    url = await match(app, rita, uploaded, **SECTION_COLUMNS)
    assert "Bob Okafor: 3333 01, Fall 2026" in await page(rita, url)
    assert await seats_taken(db, "3333") == 1
    await begin(rita, url)
    await settle(app)
    assert await seats_taken(db, "3333") == 2


@pytest.mark.parametrize(
    ("data", "filename", "sentence"),
    [
        (b"", "", "Choose a file."),
        (b"%PDF-1.7", "file.pdf", "This is a PDF document"),
        (b"PK\x03\x04 no archive", "file.xlsx", "it is damaged"),
    ],
)
async def test_an_unreadable_file_is_refused_beside_the_field(
    rita: Browser, data: bytes, filename: str, sentence: str
) -> None:
    response = await upload(rita, "user", data, filename)
    assert response.status_code == 422
    assert sentence in unescape(await text(response)).split('id="file-error"')[1].split("</div>")[0]


async def test_a_zip_bomb_is_refused(rita: Browser) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/sheet1.xml", "w") as sheet:
        for _ in range(300):
            sheet.write(b" " * 2**20)
    response = await upload(rita, "user", packed.getvalue(), "bomb.xlsx")
    assert "The workbook is too large when unpacked." in await text(response)


async def upload_too_long(browser: Browser) -> Response:
    """Upload a file of 34 MB; Quart's test client would copy all of it for each piece of 16 KB."""
    parts = [
        b'--limit\r\nContent-Disposition: form-data; name="kind"\r\n\r\nuser\r\n',
        b'--limit\r\nContent-Disposition: form-data; name="file"; filename="file.csv"\r\n\r\n',
        b"x" * (34 * 2**20),
        b"\r\n--limit--\r\n",
    ]
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    return await browser.post(NEW, data=b"".join(parts), headers=headers)


async def test_a_file_that_is_too_long_gets_a_clear_message(rita: Browser, db: Database) -> None:
    response = await upload_too_long(rita)
    assert response.status_code == 413
    assert "at most 32 MB" in await text(response)
    assert await db["import"].count_documents({}) == 0


async def test_only_registrars_may_send_a_long_body(ada: Browser, anyone: Browser) -> None:
    assert (await upload_too_long(ada)).status_code == 403
    assert (await upload_too_long(anyone)).status_code == 303


async def test_the_password_is_confirmed_before_the_file_is_chosen(rita: Browser, clock: Clock) -> None:
    clock.now += timedelta(minutes=31)
    asked = await rita.get(NEW)
    assert asked.status_code == 200
    assert "Confirm your password" in await text(asked)
    assert (await upload(rita, "user", PEOPLE)).status_code == 422
    confirmed = await rita.post(NEW, form={"confirmed_password": PASSWORD})
    assert (confirmed.status_code, confirmed.location) == (303, NEW)
    assert 'type="file"' in await text(await rita.get(NEW))


async def test_a_page_that_waits_reloads_itself_without_javascript(app: Quart, rita: Browser, db: Database) -> None:
    uploaded = await upload(rita, "user", PEOPLE)
    url = await match(app, rita, uploaded, **PEOPLE_COLUMNS)
    await db["import"].update_one({}, {"$set": {"state": "running"}})
    assert '<meta http-equiv="refresh"' in await rita.read(url)


async def test_an_import_that_a_dead_process_has_left_behind_goes_on(app: Quart, rita: Browser, db: Database) -> None:
    uploaded = await upload(rita, "user", PEOPLE)
    url = await match(app, rita, uploaded, **PEOPLE_COLUMNS)
    await db["import"].update_one({}, {"$set": {"state": "running"}})
    app.extensions[EXTENSION].import_wakeup.call()
    await settle(app)
    assert "Imported" in await page(rita, url)


ENROLLMENT_COLUMNS = {f"column_{place}": name for place, name in enumerate(EnrollmentRow()._fields)}


async def test_each_enrollment_has_its_own_result(app: Quart, rita: Browser, ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    rows = [
        "student,term,courseID,section,action",
        f"{BOB.email},Fall 2026,1111,2,add",
        f"{ADA.user_id},Fall 2026,1111,01,drop",
        f"{ADA.email},Fall 2026,3333,1,drop",
        "nobody@school.example,Fall 2026,1111,01,add",
        f"{ADA.email},Fall 2026,2222,01,add",
        f"{ADA.email},Fall 2026,,01,enrol",
    ]
    uploaded = await upload(rita, "enrollment", "\n".join(rows), reason="Advised")
    url = await match(app, rita, uploaded, **ENROLLMENT_COLUMNS)
    shown = await page(rita, url)
    assert "There is no student nobody@school.example." in shown
    assert "There is no section 01 of 2222 in Fall 2026." in shown
    wrong = "courseID is missing. action “enrol”: This must be one of add,"
    assert wrong in shown
    assert await seats_taken(db, "1111") == 1
    await begin(rita, url)
    await settle(app)
    enrolled = [(row["user_id"], row["section"]) for row in await db.enrollment.find().to_list(None)]
    assert enrolled == [(BOB.user_id, "02")]
    outcome = await text(await rita.get(f"{url}&format=csv"))
    assert [line.split(",")[:3] for line in outcome.splitlines()[1:]] == [
        ["2", "Bob Okafor", "Added"],
        ["3", "Ada Winters", "Changed"],
        ["4", "Ada Winters", "Unchanged"],
        ["5", "nobody@school.example", "Refused"],
        ["6", "Ada Winters", "Refused"],
        ["7", ADA.email, "Refused"],
    ]
    assert wrong in outcome
    entry = await db.audit.find_one({"action": "student.add"})
    assert entry is not None
    assert (entry["actor"], entry["user_id"], entry["reason"]) == (RITA.user_id, BOB.user_id, "Advised")


async def test_enrollments_need_a_reason(rita: Browser) -> None:
    response = await upload(rita, "enrollment", "student\n")
    assert response.status_code == 422
    assert "Enter a reason." in await text(response)


async def test_an_unknown_import_is_not_found(rita: Browser) -> None:
    assert (await rita.get("/staff/import?import_id=unknown")).status_code == 404
