"""The school's name and logo on its pages."""

from pathlib import Path

from icalendar import Calendar

from quart_enroll.app import create_app
from tests.support.people import Browser, config

LOGO = '<svg xmlns="http://www.w3.org/2000/svg"/>'


async def test_pages_have_the_schools_name_and_logo(tmp_path: Path) -> None:
    logo = tmp_path / "crest.svg"
    logo.write_text(LOGO)
    app = create_app(config(mongo_uri="mongodb://mock.example", school_name="Ada & Bob College", school_logo=logo))
    browser = Browser(app.test_client())
    page = await browser.read("/help/nothing")
    assert "· Ada &amp; Bob College</title>" in page
    [url] = [part.split('"')[0] for part in page.split('<img src="')[1:]]
    assert url.startswith("/static/school-logo.")
    response = await browser.get(url)
    assert await response.get_data(as_text=True) == LOGO
    assert "immutable" in response.headers["Cache-Control"]


async def test_without_a_logo_pages_have_the_sites_own(anyone: Browser) -> None:
    page = await anyone.read("/login")
    assert "· Quart Enroll</title>" in page
    assert '<img src="/static/favicon.' in page


async def test_the_calendar_has_the_schools_name(ada: Browser) -> None:
    file = Calendar.from_ical(await ada.read("/enrollment/calendar.ics"))
    assert file.calendar_name == "Quart Enroll"
