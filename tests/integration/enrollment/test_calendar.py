"""The schedule in the student's own calendar: the file and the private link."""

import gzip
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from urllib.parse import urlsplit

import pytest
from dateutil.rrule import rrulestr
from icalendar import Calendar, Event

from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import terms
from tests.support.people import (
    ADA,
    EVENINGS,
    FALL,
    FALL_MORNING,
    PASSWORD,
    SCHOOL,
    SPRING,
    Browser,
    Clock,
    config,
    message_after,
    offer_course,
    set_clock,
    text,
)

CALENDAR_PATH = "/enrollment/calendar.ics"


@pytest.fixture(autouse=True)
async def fall_dates(db: Database) -> None:
    """Let courses in fall meet from a Wednesday to a Wednesday; clocks go back on November 1."""
    await terms.put_all(db, [replace(FALL, starts_on=date(2026, 9, 2), ends_on=date(2026, 12, 9))])


async def events(browser: Browser, path: str = CALENDAR_PATH) -> list[Event]:
    response = await browser.get(path)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    file = Calendar.from_ical(await text(response))
    assert (file["version"], file["prodid"]) == ("2.0", "-//Quart Enroll//Schedule//EN")
    return list(file.events)


async def create_link(browser: Browser) -> str:
    """Create a private link and return the path of the URL that the page shows."""
    response = await browser.post("/enrollment/calendar", form={"password": PASSWORD})
    assert (response.status_code, response.location) == (303, "/enrollment#calendar")
    [url] = re.findall(r'id="calendar-address" value="([^"]+)"', await browser.read("/enrollment"))
    assert url.startswith("http://localhost/calendar/")
    return urlsplit(unescape(url)).path


def occurrences(event: Event) -> Iterator[datetime]:
    """Yield each start of the event, as dateutil reads its recurrence rule."""
    rule = event["rrule"].to_ical().decode()
    yield from rrulestr(rule, dtstart=event.start)


async def test_each_meeting_repeats_weekly_from_the_first_day_to_the_last(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "01"})
    [event] = await events(ada)
    assert (event["summary"], event["location"]) == ("PYT 101", "Hall 12")
    assert event["description"] == "Introduction to Python\nSection 01\nT. Mori"
    assert event.start == datetime(2026, 9, 2, 9, tzinfo=SCHOOL)
    assert event.end - event.start == timedelta(minutes=50)
    starts = list(occurrences(event))
    assert (starts[1], starts[-1]) == (event.start + timedelta(days=2), datetime(2026, 12, 9, 9, tzinfo=SCHOOL))
    assert {day.strftime("%a %H:%M") for day in starts} == {"Mon 09:00", "Wed 09:00", "Fri 09:00"}
    assert len(starts) == 43


async def test_a_course_with_two_kinds_of_meetings_has_two_events(ada: Browser, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111", "section": "02"})
    meeting = {"days": "M", "start": "08:00", "end": "08:50"}
    await db.section.update_one({"courseID": "1111", "section": "02"}, {"$push": {"meetings": meeting}})
    evening, morning = await events(ada)
    assert (evening.start, morning.start) == (
        datetime(2026, 9, 3, 18, tzinfo=SCHOOL),
        datetime(2026, 9, 7, 8, tzinfo=SCHOOL),
    )
    assert evening["uid"] != morning["uid"]


async def test_the_calendar_file_has_the_schools_timezone(ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    file = Calendar.from_ical(await ada.read(CALENDAR_PATH))
    [zone] = file.timezones
    assert zone["tzid"] == SCHOOL.key
    changes = {(one.name, one["tzoffsetto"].td) for one in zone.subcomponents}
    assert changes == {("DAYLIGHT", timedelta(hours=-4)), ("STANDARD", timedelta(hours=-5))}
    [event] = file.events
    assert event["dtstart"].params["tzid"] == SCHOOL.key
    assert event["rrule"]["until"] == [datetime(2026, 12, 10, 4, 59, 59, tzinfo=UTC)]


async def test_event_ids_stay_the_same_when_a_meeting_moves(ada: Browser, clock: Clock, db: Database) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    [before] = await events(ada)
    clock.now += timedelta(hours=1)
    await db.section.update_many({"courseID": "1111"}, {"$set": {"meetings.0.start": "08:30"}})
    [after] = await events(ada)
    assert (after["uid"], after.start.hour) == (before["uid"], 8)


async def test_two_students_have_different_event_ids(ada: Browser, bob: Browser) -> None:
    event_ids = []
    for student in (ada, bob):
        await student.post("/enrollment", form={"courseID": "1111"})
        event_ids += [event["uid"] for event in await events(student)]
    assert len(set(event_ids)) == 2


async def test_only_enrolled_courses_with_times_are_in_the_calendar(
    ada: Browser, bob: Browser, clock: Clock, db: Database
) -> None:
    await offer_course(db, "7777", "BIO 101")
    await bob.post("/enrollment", form={"courseID": "3333"})
    for path, courseID in (("/enrollment", "1111"), ("/enrollment", "7777"), ("/waitlist", "3333")):
        await ada.post(path, form={"courseID": courseID})
    assert [event["summary"] for event in await events(ada)] == ["PYT 101"]
    await set_clock(FALL.drop_deadline, clock, (ada, ADA))
    await ada.post("/enrollment/drop", form={"courseID": "1111"})
    assert await events(ada) == []


async def test_all_terms_are_in_one_calendar_file(ada: Browser, clock: Clock) -> None:
    await ada.post("/enrollment", form={"courseID": "1111"})
    await set_clock(SPRING.opens_at, clock, (ada, ADA))
    await ada.post("/enrollment", form={"courseID": "2222"})
    fall, spring = await events(ada)
    # Spring has no first and last day.
    assert (fall.start.date(), spring.start.date()) == (date(2026, 9, 2), date(2026, 11, 17))
    assert list(occurrences(spring))[-1].date() == date(2027, 3, 30)  # the last Tuesday before April 1


async def test_a_meeting_without_a_date_in_the_term_is_not_in_the_calendar(ada: Browser, db: Database) -> None:
    await terms.put_all(db, [replace(FALL, starts_on=date(2026, 9, 4), ends_on=date(2026, 9, 7))])
    await ada.post("/enrollment", form={"courseID": "1111", "section": "02"})  # Tuesdays and Thursdays
    assert await events(ada) == []


async def test_special_characters_in_a_title_are_escaped(ada: Browser, db: Database) -> None:
    await offer_course(db, "7777", "Größe, A;B\\n", EVENINGS)
    await ada.post("/enrollment", form={"courseID": "7777"})
    [event] = await events(ada)
    assert event["summary"] == "Größe, A;B\\n"


async def test_a_calendar_link_gives_the_schedule_without_signing_in(ada: Browser, anyone: Browser) -> None:
    path = await create_link(ada)
    assert await events(anyone, path) == []
    await ada.post("/enrollment", form={"courseID": "1111"})
    [event] = await events(anyone, path)
    assert event["summary"] == "PYT 101"


async def test_a_calendar_link_is_shown_once_and_stored_as_a_hash(ada: Browser, db: Database) -> None:
    token = (await create_link(ada)).removeprefix("/calendar/").removesuffix(".ics")
    assert len(token) == 43
    page = await ada.read("/enrollment")
    assert token not in page
    assert "You created one on Tuesday, September 1, 2026" in page
    assert token not in str(await db.feed.find().to_list(None))


async def test_creating_a_calendar_link_requires_the_password(ada: Browser, db: Database) -> None:
    assert "enter your password first" in await ada.read("/enrollment/calendar")
    assert (await ada.post("/enrollment/calendar")).status_code == 422
    for _ in range(10):
        response = await ada.post("/enrollment/calendar", form={"password": "not the password"})
        assert response.status_code == 422
        assert (await text(response)).count("Incorrect password. Try again.") == 2  # in the summary and below
    response = await ada.post("/enrollment/calendar", form={"password": PASSWORD})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    assert await db.feed.count_documents({}) == 0


async def test_a_new_calendar_link_replaces_the_previous_one(ada: Browser, anyone: Browser, db: Database) -> None:
    old, new = await create_link(ada), await create_link(ada)
    assert [(await anyone.get(path)).status_code for path in (old, new)] == [404, 200]
    assert await db.feed.count_documents({}) == 1


async def test_revoking_a_calendar_link_twice_is_harmless(ada: Browser, anyone: Browser) -> None:
    path = await create_link(ada)
    for _ in range(2):
        assert await message_after(ada, "/enrollment/calendar/end") == "Your private calendar link no longer works."
    assert (await anyone.get(path)).status_code == 404
    assert "Revoke private link" not in await ada.read("/enrollment")


async def test_a_password_change_revokes_the_calendar_link(ada: Browser, anyone: Browser) -> None:
    path, new_password = await create_link(ada), "quiet purple tractor"
    form = {"current_password": PASSWORD, "password": new_password, "password_confirm": new_password}
    assert (await ada.post("/account/password", form=form)).status_code == 303
    assert (await anyone.get(path)).status_code == 404


async def test_the_downloaded_data_has_no_hash_of_the_calendar_link(ada: Browser, db: Database) -> None:
    await create_link(ada)
    stored = await db.feed.find_one({})
    data = await ada.read("/account/data")
    assert stored is not None
    assert '"made_at"' in data
    assert stored["token"] not in data


async def test_a_user_cannot_revoke_another_users_calendar_link(ada: Browser, bob: Browser, anyone: Browser) -> None:
    path = await create_link(ada)
    await bob.post("/enrollment/calendar/end")
    await bob.post("/enrollment/calendar", form={"password": PASSWORD})
    assert (await anyone.get(path)).status_code == 200


async def test_an_invalid_calendar_link_looks_like_a_revoked_one(ada: Browser, anyone: Browser) -> None:
    revoked = await create_link(ada)
    await ada.post("/enrollment/calendar/end")
    paths = (revoked, "/calendar/x.ics", "/calendar/%FF%00.ics", f"/calendar/{'x' * 3000}.ics", "/calendar/$ne.ics")
    responses = [await anyone.get(path) for path in paths]
    assert {response.status_code for response in responses} == {404}
    assert len({await text(response) for response in responses}) == 1


async def test_an_unchanged_calendar_is_answered_with_304(ada: Browser, anyone: Browser, clock: Clock) -> None:
    path = await create_link(ada)
    await ada.post("/enrollment", form={"courseID": "1111"})
    first = await anyone.get(path)
    assert first.headers["Cache-Control"] == "private, no-cache"
    clock.now = FALL_MORNING + timedelta(hours=1)
    conditional = {"If-None-Match": first.headers["ETag"]}
    again = await anyone.get(path, headers=conditional)
    assert (again.status_code, await text(again)) == (304, "")
    await ada.post("/enrollment", form={"courseID": "3333"})
    changed = await anyone.get(path, headers=conditional)
    assert changed.status_code == 200
    assert "PHP 202" in await text(changed)


async def test_the_log_contains_no_calendar_link(
    ada: Browser, anyone: Browser, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    path = await create_link(ada)

    async def time_out(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("quart_enroll.db.collections.calendar_tokens.find_owner", time_out)
    assert (await anyone.get(path)).status_code == 503
    assert "path=/calendar/<token>.ics" in log.text
    assert path not in log.text


@pytest.fixture
async def ada_in_production(db: Database, mongod: str, clock: Clock) -> AsyncIterator[Browser]:
    """Ada's browser at a production site behind a proxy."""
    app = create_app(config(mongo_uri=mongod, app_env="production", proxies=1), clock=clock)
    async with app.test_app():
        browser = Browser(app.test_client())
        await browser.sign_in(ADA, scheme="https")
        yield browser


async def shown_links(browser: Browser, agent: str, **options: str) -> tuple[str, str]:
    """Create a private calendar link; return its URL and the webcal link, as the page shows them."""
    headers = {"User-Agent": agent}
    await browser.post("/enrollment/calendar", form={"password": PASSWORD}, headers=headers, **options)
    page = unescape(await text(await browser.get("/enrollment", headers=headers, **options)))
    [private_url] = re.findall(r'id="calendar-address" value="([^"]+)"', page)
    return private_url, "".join(re.findall(r'href="(webcal[^"]+)"', page))


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1"


async def test_in_production_calendar_links_are_https_and_never_plain_http(ada_in_production: Browser) -> None:
    private_url, link = await shown_links(ada_in_production, FIREFOX, scheme="https")
    assert private_url.startswith("https://localhost/calendar/")
    assert link == private_url.replace("https://", "webcals://")
    _, link = await shown_links(ada_in_production, IPHONE, scheme="https")
    assert link == ""  # nothing on an iPhone opens webcals://


async def test_a_calendar_is_not_sent_over_plain_http(ada_in_production: Browser) -> None:
    private_url, _ = await shown_links(ada_in_production, FIREFOX, scheme="https")
    path, client = urlsplit(private_url).path, ada_in_production.client
    plain = {"X-Forwarded-Proto": "http"}
    refused = await client.get(path, headers=plain)
    assert refused.status_code == 400
    assert "BEGIN:VCALENDAR" not in await text(refused)
    client.app.config["PUBLIC_URL"] = "https://enroll.school.example"
    redirect = await client.get(path, headers=plain)
    assert (redirect.status_code, redirect.location) == (308, f"https://enroll.school.example{path}")
    assert "BEGIN:VCALENDAR" not in await text(redirect)
    assert (await client.get(path, headers={"X-Forwarded-Proto": "https"})).status_code == 200


async def test_a_new_calendar_link_is_not_compressed(ada: Browser) -> None:
    await ada.post("/enrollment/calendar", form={"password": PASSWORD})
    page = await (await ada.get("/enrollment", headers={"Accept-Encoding": "gzip"})).get_data(as_text=False)
    [url] = re.findall(rb'value="([^"]*/calendar/[^"]*)"', gzip.decompress(page))
    assert url in page
