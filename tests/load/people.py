"""Students with browsers, for Locust: they keep cookies, follow redirects, and record what the site tells them.

This runs in Locust's own environment (.venv-load) and knows only the pages of the site.
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
from typing import Any
from urllib.parse import urlencode, urlsplit

import gevent
from geventhttpclient import HTTPClient
from locust import FastHttpUser, LoadTestShape, runners

FOLDER = Path(os.environ["LOAD_FOLDER"])
SCHOOL: dict[str, Any] = json.loads((FOLDER / "school.json").read_text())
STUDENTS = len(SCHOOL["people"])
TIME = float(os.environ.get("LOAD_SECONDS", "100"))
TERM, OPENS_AT = SCHOOL["term"], float(SCHOOL["opens_at"])

ENROLLED = re.compile(r"(?:[Yy]ou’re now enrolled in|[Yy]ou’re enrolled in|we swapped you into) ([A-Z][a-z]+ \d{4})")
DROPPED = re.compile(r"You dropped ([A-Z][a-z]+ \d{4})")
COURSE_OF = {title: courseID for courseID, title in SCHOOL["courses"].items()}

# Locust gives up on a process that is silent for three seconds; one that plays a crowd may take longer.
runners.HEARTBEAT_LIVENESS = 30

_places = cycle(range(STUDENTS))


class Student(FastHttpUser):
    """A student with a browser; each has a sign-in of their own."""

    abstract = True
    host = os.environ.get("LOAD_HOST")
    connection_timeout = 30.0
    network_timeout = 35.0
    signs_in_by_form = False
    page: gevent.Greenlet | None = None

    def on_start(self) -> None:
        self.place = _claim_student()
        self.person: dict[str, Any] = SCHOOL["people"][self.place]
        self.cookies: dict[str, str] = {}
        self.seats: set[str] = set()
        if self.signs_in_by_form and self.person["signs_in"]:
            self.sign_in()
        else:
            name, _, value = str(self.person["cookie"]).partition("=")
            self.cookies[name] = value

    def on_stop(self) -> None:
        self.leave_the_page()
        _claimed(self.place).unlink()

    def sign_in(self) -> None:
        """Sign in with the form and the password."""
        self.look("/login", "opens the sign-in page")
        self.send("/login", "signs in", email=self.person["email"], password=SCHOOL["password"])

    def look(self, path: str, step: str, **headers: str) -> str:
        """Request a page; return its text."""
        return self._ask("GET", path, step, headers, None)[1]

    def send(self, path: str, step: str, **form: str) -> str:
        """Submit a button's form, follow the redirect, record the messages there, and return that page."""
        status, _, location = self._ask("POST", path, step, {}, urlencode(form))
        if status != 303:
            return ""
        page = self.look(urlsplit(location)._replace(scheme="", netloc="").geturl(), f"{step}: reads the result")
        self._note(page)
        return page

    def open_page(self, path: str, courses: list[str]) -> None:
        """Keep a page about these courses open, with live updates, until the student leaves it."""
        self.leave_the_page()
        shown = urlencode([("term", TERM), *(("course", courseID) for courseID in courses)])
        self.page = gevent.spawn(self._listen, f"{path}?{shown}")

    def leave_the_page(self) -> None:
        if self.page is not None:
            self.page.kill()
            self.page = None

    def enroll(self, courseID: str, section: str = "") -> None:
        self.change("/enrollment", "enrolls", [courseID], courseID=courseID, section=section)

    def enroll_in_all(self, step: str) -> None:
        self.change("/plan/enroll", step, self.person["plan"])

    def join_waitlist(self, courseID: str, section: str) -> None:
        self.change("/waitlist", "joins a waitlist", [courseID], courseID=courseID, section=section)

    def drop(self, courseID: str) -> None:
        self.change("/enrollment/drop", "drops", [courseID], courseID=courseID)

    def swap(self, drop: str, add: str) -> None:
        if "Swap complete:" in self.change("/enrollment/swap", "swaps", [drop, add], drop=drop, add=add):
            self._gone(drop)

    def change(self, path: str, step: str, courses: list[str], **form: str) -> str:
        """Make a change about these courses. Until the response is read, its outcome is unknown, which is recorded
        first."""
        for courseID in courses:
            self._write(courseID, "asked")
        page = self.send(path, step, term=TERM, **form)
        for courseID in self.seats.intersection(courses if page else ()):
            self._write(courseID, "enrolled")
        return page

    def _ask(
        self, method: str, path: str, step: str, headers: Mapping[str, str], body: str | None
    ) -> tuple[int, str, str]:
        """Return the status, the text and the Location of the response; one that no student should get is a failure."""
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
            self._keep_cookies(answer)
            if not answer.status_code:
                answer.failure("no answer")
            elif answer.status_code >= 500:
                answer.failure(f"answered with {answer.status_code}")
            elif answer.status_code not in (200, 303, 304):
                answer.failure(f"refused with {answer.status_code}")
            elif "/login" in (answer.headers or {}).get("Location", "") and "login" not in path:
                answer.failure("no longer signed in")
            else:
                answer.success()
            text = answer.text if answer.status_code == 200 else ""
            return answer.status_code, text or "", (answer.headers or {}).get("Location", "")

    def _keep_cookies(self, answer: Any) -> None:
        """Store cookies as browsers do; Locust's own jar sends no secure cookies over plain HTTP."""
        for cookie in self._set_cookies(answer):
            name, _, value = cookie.partition(";")[0].partition("=")
            if value and "Max-Age=0" not in cookie:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    def _set_cookies(self, answer: Any) -> Iterator[str]:
        if answer.headers:
            yield from answer.headers.get_all("Set-Cookie", [])

    def _note(self, page: str) -> None:
        messages = " ".join(re.findall(r'<div class="alert [^>]*>(.*?)</div>', page, re.DOTALL))
        reported = unescape(messages)
        for title in DROPPED.findall(reported):
            self._gone(COURSE_OF[title])
        for title in ENROLLED.findall(reported):
            self.seats.add(COURSE_OF[title])
            self._write(COURSE_OF[title], "enrolled")

    def _gone(self, courseID: str) -> None:
        self.seats.discard(courseID)
        self._write(courseID, "gone")

    def _write(self, courseID: str, reported: str) -> None:
        row = {"at": time.time(), "user_id": self.person["user_id"], "courseID": courseID, "told": reported}
        with open(FOLDER / f"told-{os.getpid()}.jsonl", "a") as notes:
            notes.write(json.dumps(row) + "\n")

    def _listen(self, url: str) -> None:
        while True:
            began = time.perf_counter()
            client = HTTPClient.from_url(self.host, concurrency=1, network_timeout=30, connection_timeout=30)
            cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            wrong: Exception | None = None
            try:
                answer = client.get(url, headers={"Accept": "text/event-stream", "Cookie": cookies})
                if answer.status_code != 200:
                    wrong = RuntimeError(f"answered with {answer.status_code}")
                self._tell_locust(began, wrong)
                while answer.read(8192):
                    pass
            except OSError as error:
                self._tell_locust(began, error)
            finally:
                client.close()
            gevent.sleep(1)

    def _tell_locust(self, began: float, wrong: Exception | None) -> None:
        """Count a live stream that began, or failed to."""
        self.environment.events.request.fire(
            request_type="GET",
            name="opens a live stream",
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            exception=wrong,
            context={},
        )


def _claim_student() -> int:
    """Return the index of a student whom no other user plays, in any process: Locust moves users between processes."""
    for place in _places:
        try:
            _claimed(place).touch(exist_ok=False)
        except FileExistsError:
            gevent.sleep(0)
        else:
            return place
    raise AssertionError("There is no end of students.")


def _claimed(place: int) -> Path:
    return FOLDER / f"claimed-{place}"


class Crowd(LoadTestShape):
    """All students arrive within `early` seconds, and leave at the end of the run."""

    abstract = True
    early = 10.0

    def tick(self) -> tuple[int, float] | None:
        if self.get_run_time() >= TIME:
            return None
        return STUDENTS, max(1.0, STUDENTS / self.early)


def after_the_opening(max_delay: float) -> None:
    """Wait until enrollment is open, and then as long as people take to press a button, which is hardly any time."""
    gevent.sleep(max(0.0, OPENS_AT - time.time()) + min(max_delay, random.expovariate(2 / max_delay)))
