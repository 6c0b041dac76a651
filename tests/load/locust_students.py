"""Students with browsers, for Locust: they keep cookies, follow redirects, and record what the site tells them.

This runs in Locust's own environment (.venv-load) and uses only the site's pages, not its code.
"""

import json
import os
import random
import re
import time
from collections.abc import Iterator, Mapping
from html import unescape
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import gevent
from geventhttpclient import HTTPClient
from locust import FastHttpUser, LoadTestShape, runners

FOLDER = Path(os.environ["LOAD_FOLDER"])
SCHOOL: dict[str, Any] = json.loads((FOLDER / "school.json").read_text())
STUDENTS = len(SCHOOL["people"])
"""The number of browsers: some students have several devices."""

RUN_SECONDS = float(os.environ.get("LOAD_SECONDS", "100"))
ARRIVAL_SECONDS = float(os.environ.get("LOAD_ARRIVAL_SECONDS", "25"))
TERM, OPENS_AT = SCHOOL["term"], float(SCHOOL["opens_at"])

ENROLLED = re.compile(r"(?:[Yy]ou’re now enrolled in|[Yy]ou’re enrolled in|we swapped you into) ([A-Z][a-z]+ \d{4})")
DROPPED = re.compile(r"You dropped ([A-Z][a-z]+ \d{4})")
COURSE_ID_BY_TITLE = {title: courseID for courseID, title in SCHOOL["courses"].items()}

MAX_REPEATS = 20
"""How often a browser repeats a press that the site was too busy for, as in quart_enroll/web/retry.py."""

# Locust gives up on a process after three seconds without a heartbeat, which is too soon on a busy machine.
runners.HEARTBEAT_LIVENESS = 30


class Response(NamedTuple):
    """What matters of a response; `retry_after` is 0 if the site doesn't ask to try again."""

    status: int
    text: str
    location: str
    retry_after: int


_student_indexes = cycle(range(STUDENTS))


class LocustStudent(FastHttpUser):
    """A student with a browser and their own sign-in; no two Locust users are the same student."""

    abstract = True
    host = os.environ.get("LOAD_HOST")
    connection_timeout = 30.0
    network_timeout = 35.0
    post_seconds = 0.0
    """The response time of the last form with all its repeats, without the page after it."""

    has_repeated = False
    """Whether the last form was sent again: then the first attempt may have done what the last one refuses."""

    signs_in_by_form = False
    page: gevent.Greenlet | None = None

    def on_start(self) -> None:
        self.index = _claim_student()
        self.person: dict[str, Any] = SCHOOL["people"][self.index]
        self.cookies: dict[str, str] = {}
        self.seats: set[str] = set()
        if self.signs_in_by_form and self.person["signs_in"]:
            self.sign_in()
        else:
            name, _, value = str(self.person["cookie"]).partition("=")
            self.cookies[name] = value

    def on_stop(self) -> None:
        self.close_page()
        _claim_file(self.index).unlink()

    def sign_in(self) -> None:
        """Sign in with the form and the password."""
        self.get("/login", "opens the sign-in page")
        self.submit("/login", "signs in", email=self.person["email"], password=SCHOOL["password"])

    def get(self, path: str, step: str, **headers: str) -> str:
        """Request a page, and return its text."""
        return self._request("GET", path, step, headers, None).text

    def submit(self, path: str, step: str, **form: str) -> str:
        """Submit a button's form, follow the redirect, record the messages there, and return that page."""
        started = time.perf_counter()
        answer = self._press(path, step, form)
        self.post_seconds = time.perf_counter() - started
        if answer.status != 303 or ("/login" in answer.location and "login" not in path):
            return ""
        url = urlsplit(answer.location)._replace(scheme="", netloc="").geturl()
        page = self.get(url, f"{step}: reads what came of it")
        self._record_messages(page)
        return page

    def open_page(self, path: str, courses: list[str]) -> None:
        """Keep a page with these courses open: it receives live updates until the student closes it."""
        self.close_page()
        shown = urlencode([("term", TERM), *(("course", courseID) for courseID in courses)])
        self.page = gevent.spawn(self._read_stream, f"{path}?{shown}")

    def close_page(self) -> None:
        if self.page is not None:
            self.page.kill()
            self.page = None

    def enroll(self, courseID: str, section: str = "") -> None:
        self.change("/enrollment", "enrolls", [courseID], courseID=courseID, section=section)

    def enroll_in_all(self, step: str) -> bool:
        """Press the button; return whether everything planned is settled."""
        if self.person["device"] > 1:  # what another device of the student does meanwhile is not this one's to record
            return bool(self.submit("/plan/enroll", step, term=TERM))
        return bool(self.change("/plan/enroll", step, self.person["plan"]))

    def record_press(self, *, settled: bool) -> None:
        """Record how long the press that this device has just made took, and whether it settled the plan."""
        row = {"at": time.time(), "user_id": self.person["user_id"], "seconds": self.post_seconds, "settled": settled}
        with open(FOLDER / f"presses-{os.getpid()}.jsonl", "a") as notes:
            notes.write(json.dumps(row) + "\n")

    def join_waitlist(self, courseID: str, section: str) -> None:
        self.change("/waitlist", "joins a waitlist", [courseID], courseID=courseID, section=section)

    def drop(self, courseID: str) -> None:
        self.change("/enrollment/drop", "drops", [courseID], courseID=courseID)

    def swap(self, drop: str, add: str) -> None:
        if "Swap complete:" in self.change("/enrollment/swap", "swaps", [drop, add], drop=drop, add=add):
            self._record_drop(drop)

    def change(self, path: str, step: str, courses: list[str], **form: str) -> str:
        """Submit a change to these courses, and record it as requested until the response shows the outcome."""
        for courseID in courses:
            self._record(courseID, "requested")
        page = self.submit(path, step, term=TERM, **form)
        if self.has_repeated:  # which attempt did what, nobody knows
            self.seats.difference_update({*courses} - _enrolled_in(page))
        for courseID in self.seats.intersection(courses if page else ()):
            self._record(courseID, "enrolled")
        return page

    def _press(self, path: str, step: str, form: Mapping[str, str]) -> Response:
        """Press the button, and again when a busy site asks for that, as its script does."""
        answer = self._request("POST", path, step, {}, urlencode(form))
        self.has_repeated = bool(answer.retry_after)
        for _ in range(MAX_REPEATS):
            if not answer.retry_after:
                break
            gevent.sleep(answer.retry_after * (1 + random.random()))
            answer = self._request("POST", path, step, {}, urlencode(form))
        return answer

    def _request(self, method: str, path: str, step: str, headers: Mapping[str, str], body: str | None) -> Response:
        """Return the response; report an unusable one as a failure."""
        sent = {
            "Accept": "text/html,*/*;q=0.8",
            "Accept-Encoding": "gzip",
            "Sec-Fetch-Site": "same-origin",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            **({"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}),
            **headers,
        }
        with self.client.request(
            method, path, name=step, data=body, headers=sent, allow_redirects=False, catch_response=True
        ) as answer:
            self._store_cookies(answer)
            if not answer.status_code:
                answer.failure("no answer")
            elif answer.status_code >= 500:
                answer.failure(f"answered with {answer.status_code}")
            elif answer.status_code not in (200, 303, 304):
                answer.failure(f"refused with {answer.status_code}")
            elif "/login" in (answer.headers or {}).get("Location", "") and "login" not in path:
                answer.failure("not signed in any more")
            else:
                answer.success()
            headers_received = answer.headers or {}
            return Response(
                answer.status_code,
                (answer.text if answer.status_code == 200 else "") or "",
                headers_received.get("Location", ""),
                int(headers_received.get("Retry-After", 0)),
            )

    def _store_cookies(self, answer: Any) -> None:
        """Store cookies as a browser does: Locust's own jar sends no secure cookies over plain http."""
        for cookie in self._set_cookies(answer):
            name, _, value = cookie.partition(";")[0].partition("=")
            if value and "Max-Age=0" not in cookie:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    def _set_cookies(self, answer: Any) -> Iterator[str]:
        if answer.headers:
            yield from answer.headers.get_all("Set-Cookie", [])

    def _record_messages(self, page: str) -> None:
        for title in DROPPED.findall(_messages(page)):
            self._record_drop(COURSE_ID_BY_TITLE[title])
        for courseID in _enrolled_in(page):
            self.seats.add(courseID)
            self._record(courseID, "enrolled")

    def _record_drop(self, courseID: str) -> None:
        self.seats.discard(courseID)
        self._record(courseID, "dropped")

    def _record(self, courseID: str, outcome: str) -> None:
        row = {"at": time.time(), "user_id": self.person["user_id"], "courseID": courseID, "outcome": outcome}
        with open(FOLDER / f"outcomes-{os.getpid()}.jsonl", "a") as notes:
            notes.write(json.dumps(row) + "\n")

    def _read_stream(self, path: str) -> None:
        while True:
            started = time.perf_counter()
            client = HTTPClient.from_url(self.host, concurrency=1, network_timeout=60, connection_timeout=30)
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            problem: Exception | None = None
            try:
                answer = client.get(path, headers={"Accept": "text/event-stream", "Cookie": cookies})
                if answer.status_code != 200:
                    problem = RuntimeError(f"answered with {answer.status_code}")
                self._report_stream(started, problem)
                while answer.read(8192):
                    pass
            except OSError as error:
                self._report_stream(started, error)
            finally:
                client.close()
            gevent.sleep(1)

    def _report_stream(self, started: float, problem: Exception | None) -> None:
        """Report to Locust that a stream of live updates has started or failed."""
        self.environment.events.request.fire(
            request_type="GET",
            name="begins to hear the news of an open page",
            response_time=(time.perf_counter() - started) * 1000,
            response_length=0,
            exception=problem,
            context={},
        )


def _messages(page: str) -> str:
    """Return the text of the messages on the page."""
    return unescape(" ".join(re.findall(r'<div class="alert [^>]*>(.*?)</div>', page, re.DOTALL)))


def _enrolled_in(page: str) -> set[str]:
    """Return the courses that the page says the student is now enrolled in."""
    return {COURSE_ID_BY_TITLE[title] for title in ENROLLED.findall(_messages(page))}


def _claim_student() -> int:
    """Return the index of a student that no Locust user in any process has: users move between processes."""
    for index in _student_indexes:
        try:
            _claim_file(index).touch(exist_ok=False)
        except FileExistsError:
            gevent.sleep(0)
        else:
            return index
    raise AssertionError("There is no end of students.")


def _claim_file(index: int) -> Path:
    return FOLDER / f"claimed-{index}"


class CrowdShape(LoadTestShape):
    """All students have arrived after ARRIVAL_SECONDS, and stay until the end."""

    abstract = True

    def tick(self) -> tuple[int, float] | None:
        if self.get_run_time() >= RUN_SECONDS:
            return None
        return STUDENTS, max(1.0, STUDENTS / ARRIVAL_SECONDS)


def wait_for_opening(max_delay_seconds: float) -> None:
    """Wait until enrollment is open, and then for a random delay, as students do before they press a button."""
    gevent.sleep(max(0.0, OPENS_AT - time.time()) + min(max_delay_seconds, random.expovariate(2 / max_delay_seconds)))
