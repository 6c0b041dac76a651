"""The access log, and the metrics that Prometheus reads."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator

import pytest
from quart import Quart

from quart_enroll.app import create_app
from quart_enroll.db.client import Database, open_database
from quart_enroll.observability import metrics, sampler
from quart_enroll.services.accounts.attempt_limits import network_digest
from quart_enroll.web import access_log
from tests.support.people import ADA, PASSWORD, Browser, Clock, config, registration, text

WRONG_PASSWORD = "not the password"
METRICS_TOKEN = "of-no-use-to-anybody"
SECTION_FORM = {"courseID": "1111", "term": "Fall 2026", "section": "02"}


@pytest.fixture
async def metrics_app(db: Database, mongod: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Quart]:
    """The site with a metrics token and frequent measurements."""
    monkeypatch.setattr(sampler, "SAMPLE_INTERVAL_SECONDS", 0.001)
    app = create_app(config(mongo_uri=mongod, metrics_token=METRICS_TOKEN), clock=clock)
    async with app.test_app():
        yield app


@pytest.fixture
async def student(metrics_app: Quart) -> Browser:
    """Ada's browser on the site with metrics."""
    browser = Browser(metrics_app.test_client())
    await browser.sign_in(ADA)
    return browser


async def read_metrics(browser: Browser) -> dict[str, float]:
    """Return the value of each metric by its name and labels, without the label of the server."""
    response = await browser.client.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    lines = [line for line in (await text(response)).splitlines() if not line.startswith("#")]
    assert all('dyno="' in line for line in lines)
    pairs = [re.sub(r'dyno="[^"]*",?', "", line).replace("{}", "").rsplit(" ", 1) for line in lines]
    return {name: float(number) for name, number in pairs}


async def metric_increase(browser: Browser, name: str, path: str, **form: str) -> float:
    """Submit the form and return by how much the metric grew."""
    before = (await read_metrics(browser)).get(name, 0)
    await browser.post(path, form=form)
    return (await read_metrics(browser)).get(name, 0) - before


async def test_metrics_without_the_token_are_not_found(student: Browser, anyone: Browser) -> None:
    wrong_headers = [
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {METRICS_TOKEN}x",
        f"Basic {METRICS_TOKEN}",
        f"Bearer {METRICS_TOKEN[:-1]}é",
    ]
    for header in wrong_headers:
        assert (await student.get("/metrics", headers={"Authorization": header} if header else {})).status_code == 404
    for header in ("Bearer ", "Bearer x"):  # without a configured token, none is right
        assert (await anyone.get("/metrics", headers={"Authorization": header})).status_code == 404


async def test_requests_are_counted_by_endpoint_method_and_status(student: Browser) -> None:
    name = 'enroll_requests_total{endpoint="enrollment",method="POST",status="303"}'
    durations = 'enroll_request_seconds_count{endpoint="enrollment"}'
    before = await read_metrics(student)
    await student.post("/enrollment", form=SECTION_FORM)
    await student.get("/nothing/here")
    await student.client.open("/nothing/there", method="INVENTED")
    after = await read_metrics(student)
    assert after[name] - before.get(name, 0) == 1
    assert after[durations] - before.get(durations, 0) == 1
    unmatched = [name for name in after if 'endpoint="none"' in name and "total" in name]
    assert sorted(re.findall('method="(.*?)"', " ".join(unmatched))) == ["GET", "other"]


async def test_changes_are_counted_by_outcome(student: Browser) -> None:
    enrolled, already = (
        f'enroll_changes_total{{action="enroll",result="{result}"}}' for result in ("ok", "already_enrolled")
    )
    assert await metric_increase(student, enrolled, "/enrollment", **SECTION_FORM) == 1
    assert await metric_increase(student, already, "/enrollment", **SECTION_FORM) == 1
    assert (
        await metric_increase(
            student, 'enroll_changes_total{action="drop",result="ok"}', "/enrollment/drop", **SECTION_FORM
        )
        == 1
    )
    assert (
        await metric_increase(student, 'enroll_transactions_total{result="committed"}', "/enrollment", **SECTION_FORM)
        == 1
    )
    swap = {"drop": "2222", "add": "1111", "term": "Fall 2026", "section": "02"}
    assert (
        await metric_increase(student, 'enroll_transactions_total{result="abandoned"}', "/enrollment/swap", **swap) == 1
    )
    assert (
        await metric_increase(student, "enroll_section_lock_wait_seconds_count", "/enrollment/drop", **SECTION_FORM)
        == 1
    )
    assert await metric_increase(student, "enroll_hash_wait_seconds_count", "/account/delete", password="wrong") == 1


async def test_periodic_measurements_are_reported(student: Browser) -> None:
    values = await read_metrics(student)
    assert values["enroll_loop_delay_seconds_count"] > 0
    assert {"enroll_changes_waiting", "enroll_hashes_waiting", "enroll_live_pages"} <= values.keys()
    assert 0 <= values["enroll_catalog_behind_seconds"] < 60


async def test_a_change_is_logged_with_the_user_id_and_the_outcome(ada: Browser, log: pytest.LogCaptureFixture) -> None:
    await ada.post("/enrollment", form=SECTION_FORM, headers={"X-Request-ID": "router-number-1"})
    assert len(log.records) == 1
    assert re.search(
        r"event=request request_id=router-number-1 method=POST path=/enrollment status=303 ms=\d+ user_id=1$",
        log.text.strip(),
    )
    await ada.post("/enrollment", form=SECTION_FORM)
    assert "code=already_enrolled" in log.text.splitlines()[1]


async def test_only_slow_reads_are_logged(app: Quart, ada: Browser, log: pytest.LogCaptureFixture) -> None:
    for path in ("/", "/courses/", "/enrollment", "/nothing", "/metrics"):
        await ada.get(path)
    assert log.text == ""
    app.config["SLOW_REQUEST"] = 0
    await ada.get("/courses/")
    assert "method=GET path=/courses/ status=200" in log.text


async def test_the_log_contains_no_user_input(anyone: Browser, log: pytest.LogCaptureFixture) -> None:
    await anyone.sign_in(ADA)
    await anyone.sign_in(ADA, "a wrong password")
    await anyone.post("/register?email=zoe@school.example", form=registration())
    assert len(log.records) == 3
    for secret in (ADA.email, ADA.first_name, PASSWORD, "a wrong", "zoe", "Adler"):
        assert secret not in log.text


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Bearer qe_AToken-that-does-not-exist", "wrong_token"),
        ("Basic " + b64encode(f"{ADA.email}:not the password".encode()).decode(), "wrong_credentials"),
        ("Basic " + b64encode(b"nobody@school.example:not the password").decode(), "wrong_credentials"),
        ("Nonsense that-nobody-knows", "wrong_token"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_failed_api_authentication_is_logged_with_its_ip(
    app: Quart, method: str, authorization: str, code: str, log: pytest.LogCaptureFixture
) -> None:
    response = await app.test_client().open(
        "/api/v1/me/enrollments", method=method, headers={"Authorization": authorization}
    )
    assert response.status_code == 401
    [line] = log.text.splitlines()
    source = network_digest(str(app.secret_key), "<local>")
    assert "level=warning" in line
    assert f"method={method} path=/api/v1/me/enrollments status=401" in line
    assert line.endswith(f" code={code} source={source}")
    for secret in (*authorization.split(), ADA.email, "nobody", "not the password", "<local>"):
        assert secret not in line


async def test_a_visitor_who_has_not_signed_in_is_not_logged(anyone: Browser, log: pytest.LogCaptureFixture) -> None:
    assert (await anyone.get("/api/v1/me")).status_code == 401
    assert log.text == ""


@pytest.mark.parametrize(
    ("path", "form", "code"),
    [
        ("/login", {"email": ADA.email, "password": "not the password"}, "wrong_credentials"),
        ("/register", registration(ADA.email, password=WRONG_PASSWORD, password_confirm=WRONG_PASSWORD), "email_taken"),
        (
            "/account/password",
            {
                "current_password": WRONG_PASSWORD,
                "password": "quiet purple tractor",
                "password_confirm": "quiet purple tractor",
            },
            "wrong_password",
        ),
        ("/account/delete", {"password": WRONG_PASSWORD}, "wrong_password"),
    ],
)
async def test_a_failed_sign_in_is_logged_with_its_ip(
    app: Quart, ada: Browser, path: str, form: dict[str, str], code: str, log: pytest.LogCaptureFixture
) -> None:
    if path == "/register":
        await ada.post("/logout")
        log.clear()
    assert (await ada.post(path, form=form)).status_code == 422
    [line] = log.text.splitlines()
    assert f"path={path} status=422" in line
    assert f"code={code} source={network_digest(str(app.secret_key), '<local>')}" in line
    assert WRONG_PASSWORD not in line
    assert ADA.email not in line


SECRET = "aSecretNobodyMayRead-1"


def request_variants(path: str) -> Iterator[tuple[str, str]]:
    """Yield methods and spellings of the path: right, wrong and nearly right."""
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "INVENTED"):
        yield method, path
    prefix, slash, rest = path.partition(SECRET)
    for variant in (
        *(f"{path}/", f"/{path}", path.replace("/", "//"), f"{path}%20", f"{path}/more", f"/school{path}"),
        *(f"{prefix.upper()}{slash}{rest}", path.swapcase(), f"{prefix}./{slash}{rest}", f"{prefix}../x/{slash}{rest}"),
        *(f"/%{ord(path[1]):02x}{path[2:]}", f"/%25{ord(path[1]):02x}{path[2:]}", f"/%{ord(path[1]):02X}{path[2:]}/"),
        *(f"/courses{path}", f"/static{path}", f"/static/..{path}"),
        *(path.replace("/", "%2F"), path.replace("/", "%5C"), f"{path}%0d%0a", f"{path}?token={SECRET}", f"{path};x"),
    ):
        yield "GET", variant
        yield "POST", variant


async def test_no_secret_in_a_path_is_logged_however_it_is_requested(
    app: Quart, anyone: Browser, log: pytest.LogCaptureFixture
) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if access_log.HIDDEN_ARGUMENT in rule.arguments]
    assert {rule.endpoint for rule in rules} >= {"calendar_feed", "password_link"}
    app.config["SLOW_REQUEST"] = 0  # so that every request is logged
    requests = [
        variant
        for rule in rules
        for variant in request_variants(str(rule).replace(f"<{access_log.HIDDEN_ARGUMENT}>", SECRET))
    ]
    for method, path in requests:
        await anyone.client.open(path, method=method, headers={"Sec-Fetch-Site": "same-origin", "Referer": path})
    lines = [record for record in log.records if record.message == "request"]
    assert len(lines) >= len(requests)
    assert SECRET.lower() not in log.text.lower()
    assert "path=/calendar/* status=405" in log.text


async def test_a_made_up_method_is_not_logged(anyone: Browser, log: pytest.LogCaptureFixture) -> None:
    for path in ("/courses/", f"/calendar/{SECRET}.ics"):
        assert (await anyone.client.open(path, method=SECRET.upper())).status_code == 405
    assert log.text.count("method=other") == 2
    assert SECRET.lower() not in log.text.lower()


async def test_an_error_logs_no_secret(
    app: Quart, anyone: Browser, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(token: str) -> None:
        raise ZeroDivisionError

    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setitem(app.view_functions, "calendar_feed", fail)
    assert (await anyone.get(f"/calendar/{SECRET}.ics")).status_code == 500
    assert "failed: GET /calendar/<token>.ics" in log.text
    assert SECRET not in log.text


async def test_a_slow_command_is_logged_with_its_collection_but_no_values(
    mongod: str, log: pytest.LogCaptureFixture
) -> None:
    async with open_database(mongod, 20, slow=0) as db:
        await db.user.find_one({"email": ADA.email})
        async with db.watch(max_await_time_ms=10) as changes:
            await changes.try_next()
    assert "getMore" not in log.text  # waiting for changes does not count as slow
    assert 'event="slow command" command=find collection=user ms=' in log.text
    assert ADA.email not in log.text
    log.clear()
    async with open_database(mongod, 20, slow=30) as db:
        await db.user.find_one({"email": ADA.email})
    assert log.text == ""


async def test_a_retried_transaction_is_counted(student: Browser) -> None:
    before = (await read_metrics(student))["enroll_transaction_retries_total"]
    metrics.count_retry()
    assert (await read_metrics(student))["enroll_transaction_retries_total"] - before == 1


async def test_cached_responses_are_counted_too(metrics_app: Quart) -> None:
    visitor = Browser(metrics_app.test_client())
    name = 'enroll_requests_total{endpoint="courses",method="GET",status="200"}'
    before = (await read_metrics(visitor)).get(name, 0)
    for number in (1, 2):
        await visitor.client.get("/courses/")
        assert (await read_metrics(visitor)).get(name, 0) == before + number
