"""What an invented student does on the day: come, wait, press the button, and look for what is missing."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from urllib.parse import quote, urlencode

from quart_enroll.domain.models import Section, SectionKey
from quart_enroll.rehearsal.browser import JSON, Browser, Response
from quart_enroll.rehearsal.invention import InventedStudent

THINK_SECONDS = (1.0, 5.0)
"""How long students look at a page before they click again: the least and the most."""

LATE_SECONDS = 30.0
"""The time from the opening on in which students who use a password come; at most half of a shorter rehearsal."""

RETRY_PAUSES = (0.5, 1.5)
"""How long students wait before they repeat a request that got no answer or "one moment", as factors of the seconds
that the site asks for: the page repeats it by itself."""

DEFAULT_RETRY_SECONDS = 5.0

WAITLIST_PROBABILITY = 0.7
"""How likely a student joins the waitlist of a full section; the others look for another course."""

CHANGE_PROBABILITIES = {"reload": 0.55, "schedule": 0.3, "drop": 0.05, "swap": 0.05, "catalog": 0.05}
"""What students do who have settled their plan."""

MAX_REPLACEMENTS = 3
"""How many other courses a student tries for one that is full."""


@dataclass(frozen=True)
class Scene:
    """What all students share: the site's `port`, the term, its sections by course, and the popular courses.

    `arriving_seconds` is the time before the opening; `opens_at` and `ends_at` are on the monotonic clock.
    """

    port: int
    term: str
    sections: Mapping[str, Sequence[Section]]
    courses: Sequence[str]
    password: str
    opens_at: float
    arriving_seconds: float
    ends_at: float


@dataclass
class StudentOutcome:
    """What a student was told: the courses with a seat and those waited for, and when everything was settled."""

    user_id: int
    enrolled: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    got_whole_plan: bool = False
    pressed_at: float | None = None
    settled_at: float | None = None
    uncertain: set[str] = field(default_factory=set)
    """Courses of a request that got no response, so that nobody knows its outcome."""


class Over(Exception):
    """The rehearsal has ended: nothing more is sent, and what has been sent is still answered."""


class Actor:
    """Plays one student until the end of the rehearsal."""

    def __init__(self, scene: Scene, invented: InventedStudent, browser: Browser, rng: Random) -> None:
        self.scene = scene
        self.invented = invented
        self.browser = browser
        self.rng = rng
        self.outcome = StudentOutcome(invented.user_id)
        self._term_query = urlencode({"term": scene.term})
        self._wanted = [key.courseID for key in invented.plan]

    async def play(self) -> None:
        """Do everything until the scene ends, and wait for the last response."""
        with suppress(Over), closing(self.browser):
            await self._arrive()
            await self._enroll_in_all()
            await self._settle()
            while True:
                await self._browse()

    async def _arrive(self) -> None:
        scene, invented = self.scene, self.invented
        if invented.uses_password:
            late = min(LATE_SECONDS, (scene.ends_at - scene.opens_at) / 2)
            await self._wait_until(scene.opens_at + invented.arrival * late)
            await self._sign_in()
            await self._open_plan("opens the plan")
            return
        await self._wait_until(scene.opens_at - scene.arriving_seconds * (1 - invented.arrival))
        await self.browser.get(f"/courses/{quote(scene.term)}", "opens the catalog")
        await self._open_plan("opens the plan")
        courses = urlencode([("term", scene.term), *(("course", one) for one in self._wanted)])
        async with self.browser.open_stream(f"/live?{courses}"):
            while monotonic() < scene.opens_at - THINK_SECONDS[1]:
                await self._think()
                await self._open_plan("reloads the plan")
            await self._wait_until(scene.opens_at + invented.reaction_seconds)

    async def _sign_in(self) -> None:
        await self.browser.get("/login", "opens the sign-in page")
        await self._repeat(
            lambda: self.browser.post(
                "/login", "signs in with a password", email=self.invented.email, password=self.scene.password
            )
        )

    async def _enroll_in_all(self) -> None:
        """Press "Enroll in all", and again if time ran out; read which seats that gave."""
        self.outcome.pressed_at = monotonic()
        await self._change("/plan/enroll", "presses “Enroll in all”", self._wanted, term=self.scene.term)
        await self._open_plan("reads what came of it")
        await self._read_enrollments()
        self.outcome.got_whole_plan = self.outcome.enrolled.issuperset(self._wanted)

    async def _settle(self) -> None:
        """For each missing course, try its other sections, then the waitlist or another course."""
        for key in self.invented.plan:
            if key.courseID not in self.outcome.enrolled:
                await self._find_seat(key)
        self.outcome.settled_at = monotonic()

    async def _find_seat(self, key: SectionKey) -> None:
        for section in self.scene.sections[key.courseID]:
            if section.key != key:
                await self._think()
                await self._open_course(key.courseID)
                if await self._enroll(key.courseID, section.section):
                    return
        await self._think()
        if self.rng.random() < WAITLIST_PROBABILITY and await self._join(key):
            return
        for courseID in self.rng.choices(self.scene.courses, k=MAX_REPLACEMENTS):
            await self._think()
            await self.browser.get(f"/courses/{quote(self.scene.term)}?open=1", "looks for open seats")
            if courseID not in self.outcome.enrolled and await self._enroll(courseID, ""):
                return

    async def _browse(self) -> None:
        """Do one of the things that students do when they have what they can get."""
        await self._think()
        actions = list(CHANGE_PROBABILITIES)
        match self.rng.choices(actions, list(CHANGE_PROBABILITIES.values()))[0]:
            case "reload":
                await self._open_plan("reloads the plan")
            case "schedule":
                await self._open_schedule()
            case "catalog":
                await self.browser.get(f"/courses/{quote(self.scene.term)}", "opens the catalog")
            case "drop" if self.outcome.enrolled:
                await self._drop(self.rng.choice(sorted(self.outcome.enrolled)))
            case "swap" if self.outcome.enrolled:
                await self._swap(self.rng.choice(sorted(self.outcome.enrolled)), self.rng.choice(self.scene.courses))

    async def _enroll(self, courseID: str, section: str) -> bool:
        form = {"courseID": courseID, "term": self.scene.term, "section": section}
        response = await self._change("/enrollment", "enrolls in a section", [courseID], **form)
        if response.status != 303:
            return False
        self.outcome.enrolled.add(courseID)
        self.outcome.waiting.discard(courseID)
        await self._open_schedule()
        return True

    async def _join(self, key: SectionKey) -> bool:
        form = {"courseID": key.courseID, "term": key.term, "section": key.section}
        response = await self._change("/waitlist", "joins a waitlist", [key.courseID], **form)
        if response.status != 303:
            return False
        self.outcome.waiting.add(key.courseID)
        await self._open_schedule()
        return True

    async def _drop(self, courseID: str) -> None:
        response = await self._change("/enrollment/drop", "drops", [courseID], courseID=courseID, term=self.scene.term)
        if response.status == 303:
            self.outcome.enrolled.discard(courseID)
            await self._open_schedule()

    async def _swap(self, drop: str, add: str) -> None:
        form = {"drop": drop, "add": add, "term": self.scene.term}
        response = await self._change("/enrollment/swap", "swaps", [drop, add], **form)
        if response.status == 303 and drop != add:
            self.outcome.enrolled.discard(drop)
            self.outcome.enrolled.add(add)
            self.outcome.waiting.discard(add)
            await self._open_schedule()

    async def _change(self, path: str, step: str, courses: Sequence[str], **form: str) -> Response:
        """Submit a change, and repeat it as long as the site or the connection asks for that.

        Until there is a definite response, the outcome for the courses is uncertain.
        """
        before = set(self.outcome.uncertain)
        self.outcome.uncertain.update(courses)
        response = await self._repeat(lambda: self.browser.post(path, step, **form))
        self.outcome.uncertain = before
        return response

    async def _repeat(self, send: Callable[[], Awaitable[Response]]) -> Response:
        while (response := await send()).status in (0, 429, 503):
            seconds = float(response.headers.get("retry-after", DEFAULT_RETRY_SECONDS))
            await self._wait_until(monotonic() + seconds * self.rng.uniform(*RETRY_PAUSES))
        return response

    async def _open_plan(self, step: str) -> None:
        await self.browser.get(f"/plan?{self._term_query}", step)

    async def _open_schedule(self) -> None:
        await self.browser.get("/enrollment", "opens the schedule")

    async def _open_course(self, courseID: str) -> None:
        await self.browser.get(f"/course/{quote(courseID)}?{self._term_query}", "opens a course")

    async def _read_enrollments(self) -> None:
        """Read, as a program would, in which courses the site says the student is enrolled."""
        path = f"/api/v1/me/enrollments?{self._term_query}"
        response = await self._repeat(lambda: self.browser.get(path, "reads the list of enrollments", JSON))
        found = response.data
        self.outcome.enrolled = {one["courseID"] for one in found["enrollments"] if one["status"] == "enrolled"}

    async def _think(self) -> None:
        await self._wait_until(monotonic() + self.rng.uniform(*THINK_SECONDS))

    async def _wait_until(self, moment: float) -> None:
        """Wait until the moment; raise Over if the rehearsal ends before it."""
        await asyncio.sleep(min(moment, self.scene.ends_at) - monotonic())
        if monotonic() >= self.scene.ends_at:
            raise Over
