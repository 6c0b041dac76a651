"""Error pages, and what the log says about errors."""

import asyncio

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database, Session
from quart_enroll.db.collections import courses
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.state import EXTENSION
from tests.support.people import Browser, config, registration, text


async def test_an_unknown_url_shows_a_page_of_the_site(anyone: Browser) -> None:
    response = await anyone.get("/nothing/here")
    page = await text(response)
    assert response.status_code == 404
    assert "We can’t find that page. Check the link or go to the home page." in page
    assert 'href="/courses/"' in page


async def test_a_client_that_asks_for_json_gets_json(anyone: Browser) -> None:
    response = await anyone.get("/nothing", headers={"Accept": "application/json"})
    assert (response.status_code, (await response.get_json())["error"]) == (404, "not_found")
    response = await anyone.get("/enrollment", headers={"Accept": "application/json"})
    assert (response.status_code, (await response.get_json())["error"]) == (401, "sign_in_first")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/courses/"), ("PUT", "/login"), ("POST", "/")])
async def test_a_wrong_method_is_answered_with_the_allowed_methods(anyone: Browser, method: str, path: str) -> None:
    response = await anyone.client.open(path, method=method)
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


async def test_a_body_over_64_kib_is_refused(anyone: Browser) -> None:
    response = await anyone.post("/register", form=registration(first_name="x" * 70_000))
    assert response.status_code == 413
    assert "more than this site accepts" in await text(response)


async def test_a_large_body_of_a_visitor_who_must_sign_in_is_refused_too(anyone: Browser) -> None:
    response = await anyone.post("/enrollment", form={"courseID": "x" * 70_000})
    assert response.status_code == 413


async def test_a_websocket_is_refused(app: Quart, caplog: pytest.LogCaptureFixture) -> None:
    messages = []

    async def send(message: dict[str, object]) -> None:
        messages.append(message)

    await app({"type": "websocket", "path": "/", "headers": []}, None, send)  # type: ignore[arg-type]
    assert messages == [{"type": "websocket.close"}]
    assert caplog.text == ""


async def test_an_internal_error_shows_a_request_id_and_no_stack_trace(
    app: Quart, anyone: Browser, log: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError("the secret inside")

    app.view_functions["index"] = fail
    app.config["PROPAGATE_EXCEPTIONS"] = False
    response = await anyone.get("/", headers={"X-Request-ID": "router-number-1"})
    page = await text(response)
    assert response.status_code == 500
    assert "router-number-1" in page
    assert "secret inside" not in page
    assert "failed: GET / request_id=router-number-1" in log.text
    assert len(log.text.splitlines()) == 2  # the stack trace is part of the error's line


async def test_nobody_can_inject_lines_into_the_log(app: Quart, anyone: Browser, log: pytest.LogCaptureFixture) -> None:
    await anyone.client.post("/login", form={})  # without proof that it comes from this site
    assert "method=POST path=/login status=400" in log.text
    await anyone.post("/courses/a%0Ainjected", form={})
    await anyone.client.post("/api/a%0Ainjected", form=registration(first_name="x" * 70_000))
    assert "injected" not in log.text
    app.config["SLOW_REQUEST"] = 0
    await anyone.get("/course/a%0Ainjected")
    assert "injected" not in log.text
    await anyone.get("/course/a%20b")
    assert "path=/course/a%20b status=404" in log.text


async def test_the_routers_request_id_is_kept_only_if_valid(anyone: Browser) -> None:
    response = await anyone.get("/", headers={"X-Request-ID": "<script>alert(1)</script>"})
    assert len(response.headers["X-Request-ID"]) == 16


async def test_a_change_completes_before_shutdown_although_its_client_disconnected(db: Database, mongod: str) -> None:
    app = create_app(config(mongo_uri=mongod))
    async with app.test_app():
        context: EnrollmentContext = app.extensions[EXTENSION].enrollment
        begun, proceed = asyncio.Event(), asyncio.Event()

        async def body(session: Session) -> None:
            begun.set()
            await proceed.wait()
            await context.db.course.update_one({"courseID": "1111"}, {"$set": {"credits": 5}}, session=session)

        client = asyncio.ensure_future(context.locks.run([], body))
        await begun.wait()
        client.cancel()
        asyncio.get_running_loop().call_later(0.05, proceed.set)
    course = await courses.find(db, "1111")
    assert course is not None
    assert course.credits == 5


async def test_health_and_readiness_are_reported(anyone: Browser) -> None:
    assert (await anyone.get("/healthz")).status_code == 200
    assert (await anyone.get("/readyz")).status_code == 200
