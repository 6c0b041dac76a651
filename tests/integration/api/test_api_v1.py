"""Version 1 of the API: the public catalog."""

import base64
import re
from dataclasses import replace

import pytest
from quart import Quart

from quart_enroll.api.v1.codes import CODES
from quart_enroll.app import create_app
from quart_enroll.db.client import Database
from quart_enroll.db.collections import sections, terms
from quart_enroll.domain.models import MAX_TERM_NAME_LENGTH
from tests.support.people import FALL, SECTIONS, Browser, Clock, config, offer_course, text

COURSES = "/api/v1/courses"

# The courses that each query finds when ART 100 is full.
COURSES_BY_QUERY = {
    "": ["1111", "2222", "3333", "6666"],
    "q=pyTHon": ["1111"],
    "q=programming+2": ["2222", "3333"],
    "q=3333": ["3333"],
    "q=.*": ["1111", "2222", "3333", "6666"],
    "q=pyt-101": ["1111"],
    "q=PYT101": ["1111"],
    "q=pyhton": ["1111"],
    "q=programs": ["2222", "3333"],
    "q=ython": ["1111"],
    "q=thon": [],
    "term=fall": ["1111", "3333", "6666"],
    "term=Spring+2027&q=101": ["1111"],
    "credits=4": ["2222", "3333"],
    "credits=4.0&term=Fall": ["3333"],
    "subject=art": ["6666"],
    "open_seats=false&term=Fall": ["6666"],
    "open_seats=true&term=Fall": ["1111", "3333"],
}


async def _courses(anyone: Browser, query: str = "") -> list[str]:
    body = await (await anyone.get(f"{COURSES}?{query}")).get_json()
    return [course["courseID"] for course in body["courses"]]


async def test_terms_are_listed_with_their_windows_in_utc(anyone: Browser) -> None:
    body = await (await anyone.get("/api/v1/terms")).get_json()
    assert body["terms"][0] == {
        "term": "Fall 2026",
        "season": "Fall",
        "year": 2026,
        "opens_at": "2026-08-01T04:00:00Z",
        "add_deadline": "2026-09-15T04:00:00Z",
        "drop_deadline": "2026-09-15T04:00:00Z",
        "withdraw_deadline": "2026-11-01T04:00:00Z",
        "max_credits": 18.0,
        "timezone": "America/New_York",
        "starts_on": None,
        "ends_on": None,
        "open_enrollment_at": None,
        "in_progress_counts": True,
    }
    assert [term["term"] for term in body["terms"]] == ["Fall 2026", "Spring 2027"]


async def test_sections_of_a_term_with_the_longest_name_are_paged(anyone: Browser, db: Database) -> None:
    name = "\N{SNOWMAN WITHOUT SNOW}\N{MATHEMATICAL BOLD CAPITAL T}" * (MAX_TERM_NAME_LENGTH // 2)
    await terms.put_all(db, [replace(FALL, term=name)])
    await sections.put_all(db, [replace(one, term=name) for one in SECTIONS[:2]])
    query, sections_found = {"term": name, "limit": "1"}, []
    while query.get("cursor") != "":
        body = await (await anyone.get("/api/v1/sections", query_string=query)).get_json()
        sections_found += body["sections"]
        query["cursor"] = body["next"] or ""
    assert [(one["term"], one["section"]) for one in sections_found] == [(name, "01"), (name, "02")]


async def test_text_that_merely_contains_a_term_is_not_recognized_as_one(anyone: Browser) -> None:
    for term in ("2028 Spring", "Spring 2027 or so", "Fall, Spring"):
        response = await anyone.get("/api/v1/sections", query_string={"term": term})
        assert (response.status_code, (await response.get_json())["code"]) == (404, "unknown_term")


async def test_a_course_has_the_same_field_names_as_in_the_database(anyone: Browser) -> None:
    assert await (await anyone.get(f"{COURSES}/1111")).get_json() == {
        "courseID": "1111",
        "title": "PYT 101",
        "description": "Introduction to Python",
        "credits": 3.0,
        "term": "Fall, Spring",
        "subject": "",
        "prerequisites": [],
        "corequisites": [],
        "requisite": "",
        "restriction": "",
        "max_attempts": None,
        "withdrawals_count": False,
        "repeat_action": "refuse",
        "equivalents": [],
    }


async def test_courses_are_searched_and_filtered(anyone: Browser, db: Database) -> None:
    await offer_course(db, "6666", "ART 100", subject="Art")
    await db.section.update_one({"courseID": "6666"}, {"$set": {"seats_taken": 1}})
    for query, expected in COURSES_BY_QUERY.items():
        assert await _courses(anyone, query) == expected, query


async def test_the_next_page_continues_after_the_last_course_despite_new_ones(anyone: Browser, db: Database) -> None:
    first = await (await anyone.get(f"{COURSES}?limit=2")).get_json()
    assert [course["courseID"] for course in first["courses"]] == ["1111", "2222"]
    await offer_course(db, "0001", "NEW 001")
    await db.course.delete_one({"courseID": "2222"})
    second = await (await anyone.get(f"{COURSES}?limit=2&cursor={first['next']}")).get_json()
    assert ([course["courseID"] for course in second["courses"]], second["next"]) == (["3333"], None)


async def test_sections_have_their_number_of_open_seats(anyone: Browser, ada: Browser) -> None:
    await ada.post("/enrollment", form={"courseID": "3333"})
    body = await (await anyone.get("/api/v1/sections?term=Fall&courseID=3333")).get_json()
    assert body == {
        "sections": [
            {
                "term": "Fall 2026",
                "courseID": "3333",
                "section": "01",
                "capacity": 1,
                "seats_taken": 1,
                "open_seats": 0,
                "waitlist_capacity": 1,
                "waiting": 0,
                "meetings": [{"days": "TR", "start": "12:00", "end": "13:15"}],
                "instructor": "P. Silva",
                "room": "Lab 1",
                "status": "active",
                "restriction": "",
                "consent": "none",
                "pools": [],
            }
        ],
        "next": None,
    }
    full = await (await anyone.get("/api/v1/sections?open_seats=false")).get_json()
    assert [section["courseID"] for section in full["sections"]] == ["3333"]


async def test_paging_through_sections_returns_each_once(anyone: Browser) -> None:
    keys, cursor = [], ""
    while cursor is not None:
        body = await (await anyone.get(f"/api/v1/sections?limit=2&cursor={cursor}")).get_json()
        keys += [(one["term"], one["courseID"], one["section"]) for one in body["sections"]]
        cursor = body["next"]
    assert len(keys) == 5
    assert keys == sorted(set(keys))


async def test_an_unknown_url_is_a_problem_response(anyone: Browser) -> None:
    for url, code in {
        f"{COURSES}/9999": "unknown_course",
        f"{COURSES}/%00": "unknown_course",
        f"{COURSES}?term=Never": "unknown_term",
        "/api/v1/sections?term=Winter": "unknown_term",
        "/api/v1/nothing": "not_found",
    }.items():
        response = await anyone.get(url, headers={"Accept": "text/html"})
        problem = await response.get_json()
        assert (response.status_code, response.mimetype) == (404, "application/problem+json")
        assert (problem["status"], problem["code"], problem["type"]) == (404, code, f"/api/v1/docs#{code}")
        assert problem["title"]
        assert problem["detail"]


async def test_an_unknown_term_lists_the_known_ones(anyone: Browser) -> None:
    problem = await (await anyone.get(f"{COURSES}?term=Never")).get_json()
    assert problem["terms"] == ["Fall 2026", "Spring 2027"]


async def test_every_invalid_field_is_listed_with_its_error(anyone: Browser) -> None:
    response = await anyone.get(f"{COURSES}?limit=0&credits=many&open_seats=perhaps&secton=1&q=a%00&term=1&term=2")
    problem = await response.get_json()
    assert (response.status_code, problem["code"]) == (422, "wrong_fields")
    assert {error["field"]: error["detail"] for error in problem["errors"]} == {
        "limit": "Send a whole number from 1 to 100.",
        "credits": "Send a number from 0 to 30.",
        "open_seats": "Send true or false.",
        "secton": "There is no such field.",
        "q": "This contains characters that can’t be read.",
        "term": "This was sent more than once. Send it once.",
    }


async def test_an_invalid_cursor_is_refused(ada: Browser) -> None:
    positions = [b"x", b"[1]", b'"1111"', b"{}", b"[" * 90, b"\xff", b"null", b'"1.x"', b'"9999999999999999999.0"']
    for cursor in ["%C3%A9", "=", *(base64.urlsafe_b64encode(position).decode() for position in positions)]:
        for url in (COURSES, "/api/v1/sections", "/api/v1/me/events"):
            response = await ada.get(f"{url}?cursor={cursor}")
            assert response.status_code == 422, (url, cursor)
            assert [error["field"] for error in (await response.get_json())["errors"]] == ["cursor"]


@pytest.mark.parametrize("url", ["/api/v1/terms", COURSES, f"{COURSES}/1111", "/api/v1/sections"])
async def test_an_unchanged_catalog_gets_a_304(anyone: Browser, db: Database, url: str) -> None:
    first = await anyone.get(url)
    assert first.headers["Cache-Control"] == "public, no-cache"
    again = await anyone.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, await again.get_data()) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    await db.course.update_many({}, {"$set": {"description": "new"}})
    await db.section.update_many({}, {"$inc": {"seats_taken": 1}})
    await db.term.update_many({}, {"$set": {"max_credits": 9}})
    changed = await anyone.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200


async def test_the_catalog_is_the_same_for_everybody_and_may_be_cached(anyone: Browser, ada: Browser) -> None:
    for browser in (anyone, ada):
        response = await browser.get(COURSES, headers={"Authorization": "Bearer wrong"})
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, no-cache"
        assert "Set-Cookie" not in response.headers


async def test_the_documentation_explains_every_url_schema_and_code(anyone: Browser) -> None:
    page = await anyone.read("/api/v1/docs")
    document = await (await anyone.get("/api/v1/openapi.json")).get_json()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page
    for name in {*document["components"]["schemas"], *CODES}:
        assert f'id="{name}"' in page
    links = re.findall(r'href="#([^"]+)"', page)
    assert [name for name in links if f'id="{name}"' not in page] == []


async def test_the_documentation_needs_no_other_host_and_no_inline_script(anyone: Browser) -> None:
    page = await anyone.read("/api/v1/docs")
    assert re.findall(r'(?:src|href|action)="(?!/|#)', page) == []
    assert re.findall(r"<script(?! (?:defer )?src=)|<style| style=| on[a-z]+=", page) == []


async def test_an_unsupported_method_gets_a_405_with_the_allowed_methods(anyone: Browser) -> None:
    response = await anyone.client.open("/api/v1/me/enrollments", method="PUT", json={})
    assert (response.status_code, (await response.get_json())["code"]) == (405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}


async def test_an_internal_error_is_a_problem_response(app: Quart, anyone: Browser) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("the secret inside")

    app.view_functions["v1_terms"] = fail
    app.config["PROPAGATE_EXCEPTIONS"] = False
    response = await anyone.get("/api/v1/terms", headers={"X-Request-ID": "router-number-1"})
    problem = await response.get_json()
    assert (response.status_code, problem["code"], problem["request_id"]) == (
        500,
        "internal_server_error",
        "router-number-1",
    )
    assert "secret inside" not in await text(response)


async def test_a_database_outage_is_a_problem_response_with_retry_after(app: Quart, anyone: Browser) -> None:
    async def time_out() -> None:
        raise TimeoutError

    app.view_functions["v1_terms"] = time_out
    response = await anyone.get("/api/v1/terms")
    assert (response.status_code, (await response.get_json())["code"]) == (503, "database_away")
    assert response.headers["Retry-After"] == "5"


async def test_cross_origin_requests_are_allowed_only_for_configured_origins(
    db: Database, mongod: str, clock: Clock
) -> None:
    allowed_origin = "https://app.school.example"
    preflight_headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with create_app(config(mongo_uri=mongod), clock=clock).test_app() as default_app:
        response = await default_app.test_client().get(COURSES, headers={"Origin": allowed_origin})
        assert "Access-Control" not in str(response.headers)
    async with create_app(config(mongo_uri=mongod, cors_origins=(allowed_origin,)), clock=clock).test_app() as app:
        client = app.test_client()
        response = await client.get(COURSES, headers={"Origin": allowed_origin})
        assert response.headers["Access-Control-Allow-Origin"] == allowed_origin
        assert "Origin" in response.headers["Vary"]
        conditional_headers = {"Origin": allowed_origin, "If-None-Match": response.headers["ETag"]}
        response = await client.get(COURSES, headers=conditional_headers)
        assert (response.status_code, response.headers.get("Access-Control-Allow-Origin")) == (304, allowed_origin)
        preflight = await client.options(
            "/api/v1/me/enrollments", headers={"Origin": allowed_origin} | preflight_headers
        )
        assert preflight.status_code == 200
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in preflight.headers
        for origin in (
            "https://evil.example",
            "https://app.school.example.evil.example",
            "null",
            allowed_origin.upper(),
        ):
            response = await client.get(COURSES, headers={"Origin": origin})
            assert "Access-Control-Allow-Origin" not in response.headers
            assert "Origin" in response.headers["Vary"]
        assert "Access-Control-Allow-Origin" not in (await client.get("/", headers={"Origin": allowed_origin})).headers
