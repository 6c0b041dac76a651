"""A sharded cluster: docs/deploy.md says where each command of the site goes, and the site keeps to it.

The fixture `recorded_commands` checks the same of every command that any test in this folder's parent makes the site
send.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import Result
from pymongo import MongoClient
from quart import Quart
from quart.datastructures import FileStorage
from quart.wrappers import Response

from quart_enroll.db.client import Database
from quart_enroll.db.collections import terms
from quart_enroll.db.queries import multi_find
from quart_enroll.domain.email_settings import EmailKind
from quart_enroll.domain.models import PlannedSection, SectionKey
from quart_enroll.domain.scopes import Scope
from quart_enroll.pages.staff.dashboard import REPORTS
from quart_enroll.routes import ROUTES
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.services.enrollment.schedule_builder import plan_mark
from quart_enroll.services.maintenance.schema_check import COLLECTION_MODULES
from quart_enroll.services.staff.appointments import retry_skipped
from quart_enroll.state import EXTENSION, AppState
from quart_enroll.system.wakeup import Wakeup
from tests.support import api_clients, command_checks
from tests.support.api_clients import Program
from tests.support.command_recorder import Operation
from tests.support.people import ADA, FALL, LAST_FALL, PASSWORD, RITA, Browser, offer_course, registration, text
from tests.support.sharding import ALL, field_names, read_table

TABLE = read_table()
SHARDED = {name: key for name, key in TABLE.keys.items() if key}

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def no_change_streams() -> None:
    """Follow changes, as the site does."""


@pytest.fixture
def run(app: Quart, tmp_path: Path) -> Run:
    """Import the text as a CSV file, or run another command, in a thread: a command starts its own event loop."""

    async def invoke(*arguments: str, text: str = "") -> Result:
        path = tmp_path / "rows.csv"
        path.write_text(text, "utf-8")
        files = [str(path)] if text else []
        result = await asyncio.to_thread(app.test_cli_runner().invoke, args=[*arguments, *files])
        assert result.exit_code == 0, result.output
        return result

    return invoke


def test_the_document_names_every_collection() -> None:
    assert set(COLLECTION_MODULES) <= set(TABLE.keys)


@pytest.mark.parametrize("collection", SHARDED)
def test_mongodb_accepts_the_shard_key_with_the_indexes_of_the_collection(collection: str) -> None:
    """Each unique index must begin with the shard key, and so must one that holds every row in the default order."""
    indexes = [index.document for index in COLLECTION_MODULES[collection].INDEXES]
    key = SHARDED[collection]
    begins = [index for index in indexes if tuple(index["key"])[: len(key)] == key]
    assert [index["name"] for index in indexes if index.get("unique") and index not in begins] == []
    assert [
        index["name"]
        for index in begins
        if not index.keys() & {"partialFilterExpression", "sparse", "collation"}
        and all(index["key"][name] == 1 for name in key)
    ]


@pytest.mark.parametrize(
    ("collection", "filter", "faults"),
    [
        ("section", {"room": "Hall 3"}, ["docs/deploy.md doesn't list it", "no index answers it"]),
        ("waitlist", {"joined_at": FALL.opens_at}, ["docs/deploy.md doesn't list it", "no index answers it"]),
        ("enrollment", {"term": "Fall 2026", "courseID": "1111"}, ["docs/deploy.md doesn't list it"]),
        ("enrollment", {"user_id": 1, "term": "Fall 2026"}, []),
        ("enrollment", {"user_id": 1, "term": {"$regex": "^¿"}}, []),  # the bounds of its plan are not UTF-8
        ("unheard_of", {"user_id": 1}, ["docs/deploy.md has no shard key for this collection"]),
    ],
)
async def test_a_query_that_the_document_does_not_cover_is_found(
    db: Database,
    recorded_commands: list[Operation],
    mongo_client: MongoClient[dict[str, Any]],
    collection: str,
    filter: dict[str, Any],
    faults: list[str],
) -> None:
    await multi_find.find(db, {collection: filter})
    found = command_checks.find_faults(mongo_client, recorded_commands)
    recorded_commands.clear()  # or the fixture finds it too
    assert [sentence.rpartition(": ")[2].rpartition(", and ")[2] for sentence in found] == faults
    for sentence in found:
        assert str(filter) in sentence
        assert "sent by quart_enroll.db.queries.multi_find.find" in sentence


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (Operation("update", "waitlist", {"user_id": 1}, "enroll", (), single_write=True), "to write one row"),
        (Operation("distinct", "enrollment", {"user_id": 1}, "enroll", (), transaction=(b"", 1)), "`distinct`"),
    ],
)
def test_a_command_that_a_sharded_cluster_refuses_is_found(operation: Operation, fault: str) -> None:
    assert fault in str(TABLE.find_fault(operation))


class FullRun:
    """Requests by everybody to every route, and commands; `transactions` has what each change wrote and asked."""

    def __init__(self, app: Quart, run: Run, db: Database, recorded: list[Operation]) -> None:
        self.app = app
        self.run = run
        self.db = db
        self.recorded = recorded
        self.endpoints: set[str] = set()
        self.transactions: dict[str, tuple[str, str]] = {}

    async def request(self, who: Browser | Program, method: str, path: str, **form: Any) -> Response:
        """Send a request with the form, or as JSON with a program."""
        adapter = self.app.url_map.bind("localhost")
        self.endpoints.add(adapter.match(path.partition("?")[0], method=method)[0])
        if isinstance(who, Program):
            response = await who.send(method, path, form or None)
        else:
            response = await (who.post(path, form=form) if method == "POST" else who.get(path))
        assert response.status_code < 500, (path, response.status_code)
        return response

    @contextmanager
    def change(self, name: str) -> Iterator[None]:
        """Note whose rows the transactions in the block write, and how often each of them asks all shards."""
        first = len(self.recorded)
        yield
        in_transactions = [one for one in self.recorded[first:] if one.transaction]
        written = {_owner(one.collection) for one in in_transactions if one.is_write}
        asked = Counter(one.transaction for one in in_transactions if TABLE.target(one) == ALL)
        self.transactions[name] = (", ".join(sorted(written)), str(max(asked.values(), default=0)))


def _owner(collection: str) -> str:
    """Return whose row of the collection it is, as far as that decides on the shard."""
    key = TABLE.keys[collection]
    return {(): "primary shard", ("user_id",): "student", ("term", "courseID"): "section"}[key]


@pytest.fixture
def full_run(app: Quart, run: Run, db: Database, recorded_commands: list[Operation]) -> FullRun:
    return FullRun(app, run, db, recorded_commands)


async def change_seats(full: FullRun, ada: Browser, bob: Browser) -> None:
    """Enroll, wait, drop, swap, leave and ask for alerts, each in its own way."""
    await offer_course(full.db, "4444", "ART 101")
    post = full.request
    with full.change("enroll"):
        await post(ada, "POST", "/enrollment", courseID="3333")
    await post(ada, "POST", "/enrollment", courseID="3333")  # a repeated click
    with full.change("join a waitlist"):
        await post(bob, "POST", "/waitlist", courseID="3333")
    await post(bob, "GET", "/enrollment")
    with full.change("leave a waitlist"):
        await post(bob, "POST", "/waitlist/leave", courseID="3333")
    await post(bob, "POST", "/alert", courseID="3333", term="Fall 2026", section="01")
    with full.change("swap, and send an alert"):
        await post(ada, "POST", "/enrollment/swap", drop="3333", add="1111")
    await post(ada, "POST", "/enrollment/swap", drop="1111", add="3333")
    await post(bob, "POST", "/waitlist", courseID="3333")
    with full.change("drop, and promote a student"):
        await post(ada, "POST", "/enrollment/drop", courseID="3333")
    with full.change("drop"):
        await post(bob, "POST", "/enrollment/drop", courseID="3333")
    for courseID in ("1111", "3333", "4444"):
        await post(bob, "POST", "/plan/add", courseID=courseID, term="Fall 2026", section="01")
    await post(bob, "POST", "/plan/up", courseID="3333", term="Fall 2026")
    await post(bob, "POST", "/plan/down", courseID="3333", term="Fall 2026")
    await post(bob, "POST", "/plan/remove", courseID="4444", term="Fall 2026")
    await post(bob, "GET", "/plan/build?term=Fall")
    planned = [PlannedSection(SectionKey("Fall 2026", one, "01"), 1, FALL.opens_at) for one in ("1111", "3333")]
    week = {"courseID": "1111", "section": "02", "plan": plan_mark(planned)}
    await post(bob, "POST", "/plan/week", term="Fall 2026", **week)
    assert await full.db.plan.count_documents({"section": "02"}) == 1
    await post(bob, "POST", "/plan/add", courseID="1111", term="Fall 2026", section="01")
    php = {"courseID": "3333", "term": "Fall 2026", "section": "01"}
    for action, name in (("save", "Late"), ("use", "Late"), ("rename", "Early"), ("delete", "")):
        await post(bob, "POST", f"/plan/{action}", term="Fall 2026", name=name, in_use="Late")
    await post(bob, "POST", "/plan/alternatives", **php, alternative="*")
    with full.change("enroll in a plan"):
        await post(bob, "POST", "/plan/enroll", term="Fall 2026")
    await post(ada, "POST", "/alert", courseID="3333", term="Fall 2026", section="01")
    await post(ada, "POST", "/alert/end", courseID="3333", term="Fall 2026", section="01")
    await post(ada, "POST", "/waitlist", courseID="3333")


async def compare_with_past_terms(full: FullRun) -> None:
    """Read the history of a past term, as each process does in the background."""
    await terms.put_all(full.db, [LAST_FALL])
    state: AppState = full.app.extensions[EXTENSION]
    await state.catalog_cache.reload()
    await state.waitlist_odds.refresh(await state.catalog_cache.get(), state.clock())


async def use_the_api(full: FullRun, program: Program) -> None:
    wanted = {"courseID": "4444", "term": "Fall 2026", "section": "01"}
    await full.request(program, "POST", "/api/v1/me/enrollments", **wanted)
    await full.request(program, "POST", "/api/v1/me/swaps", drop="4444", add="1111")
    await full.request(program, "DELETE", "/api/v1/me/enrollments?courseID=1111")
    await full.request(program, "POST", "/api/v1/me/plan", **wanted)
    await full.request(program, "GET", "/api/v1/me/plan?term=Fall")
    await full.request(program, "PATCH", "/api/v1/me/plan", **wanted, position=1, alternatives=["*"])
    await full.request(program, "POST", "/api/v1/me/plan/enroll", term="Fall 2026")
    await full.request(program, "DELETE", "/api/v1/me/plan?courseID=4444&term=Fall")
    await full.request(program, "POST", "/api/v1/me/waitlist", courseID="3333")
    await full.request(program, "DELETE", "/api/v1/me/waitlist?courseID=3333")


async def use_the_api_as_staff(full: FullRun, rita: Program) -> None:
    """Make each change, and read what needs a query or is paged."""
    staff, section = "/api/v1/staff", {"term": "Fall 2026", "courseID": "3333", "section": "01"}
    for path in ("sections?limit=1", "students?q=ada&limit=1", "people?q=ada&role=student&limit=1"):
        await full.request(rita, "GET", f"{staff}/{path}")
    where = "term=Fall+2026&courseID=3333&section=01"
    for path in (f"section?{where}", f"students/1/why?{where}", "term?term=Fall+2026", "course?courseID=3333"):
        await full.request(rita, "GET", f"{staff}/{path}")
    await full.db.hold_type.insert_one({"name": "A", "office": "A", "contact": "A", "blocks": ["drop"]})
    await full.request(rita, "POST", f"{staff}/students/2/holds", type="A", reason="A")
    hold = await full.db.hold.find_one({}, sort=[("_id", -1)])
    await full.request(rita, "GET", f"{staff}/holds?user_id=2&type=A&state=current&limit=1")
    await full.request(rita, "POST", f"{staff}/students/2/holds/lift", hold_id=str(hold and hold["_id"]), reason="A")
    for action in ("join", "leave"):
        await full.request(rita, "POST", f"{staff}/students/2/act", action=action, reason="Asked.", **section)
    await full.request(rita, "POST", f"{staff}/roster/no-show", students=[2], **section)
    await full.request(rita, "PATCH", f"{staff}/section", revision=0, capacity=5, **section)
    await full.request(rita, "POST", f"{staff}/sections", capacity=5, **section | {"section": "9"})
    cancelled = section | {"section": "09"}
    await full.request(rita, "POST", f"{staff}/section/cancel", revision=0, reason="Too few", **cancelled)
    await full.request(rita, "PATCH", f"{staff}/course", courseID="3333", subject="Web")
    await full.request(rita, "POST", f"{staff}/courses", courseID="6666", title="A", credits=1, term="Fall")
    await full.request(rita, "PATCH", f"{staff}/term", term="Fall 2026", max_credits=21)
    days = {"opens_at": "2027-05-01", "add_deadline": "2027-06-14", "drop_deadline": "2027-06-14"}
    term = days | {"withdraw_deadline": "2027-07-31", "timezone": "UTC", "term": "Summer 2028"}
    await full.request(rita, "POST", f"{staff}/terms", max_credits=9, **term)
    await full.request(rita, "PATCH", f"{staff}/people/2", version="", directory_opt_out=True)


async def open_every_page(full: FullRun, *visitors: Browser | Program) -> None:
    filled = {
        "courseID": "1111",
        "idx": "1111",
        "term": "fall-2026",
        "filename": "site.css",
        "token": "unknown",
        "name": "Grace Hopper",
        "user_id": "1",
    }
    for route in ROUTES:
        if "GET" in route.methods and route.endpoint != "logout":
            for path in route.paths:
                for visitor in visitors:
                    await full.request(visitor, "GET", re.sub(r"<(?:\w+:)?(\w+)>", lambda name: filled[name[1]], path))


async def read_reports(full: FullRun, rita: Browser) -> None:
    """Open every report of the dashboard, and a roster."""
    for report in REPORTS:
        for subject in ("", "Web"):
            path = f"/staff/dashboard?term=Fall+2026&report={report.key}&subject={subject}"
            await full.request(rita, "GET", path)
    await full.request(rita, "GET", "/staff/roster?term=Fall+2026&courseID=3333&section=01")


async def change_the_catalog(full: FullRun, rita: Browser) -> None:
    """Edit a section with students, cancel it, edit a course and a term, and copy sections."""
    where = "?term=Fall+2026&courseID=3333&section=01"
    section = {"revision": "0", "waitlist_capacity": "5", "status": "active", "confirmed": "y"}
    await full.db.section.update_many({"courseID": "3333"}, {"$set": {"revision": 0}})
    await full.request(rita, "POST", f"/staff/section{where}", capacity="5", meetings="M 09:00-09:50", **section)
    added = {"term": "Fall 2026", "courseID": "3333", "section": "8", "capacity": "1"}
    await full.request(rita, "POST", "/staff/section/new", **section | added)
    await full.request(rita, "GET", f"/staff/section{where}")
    await full.request(rita, "GET", f"/staff/section/cancel{where}")
    await full.request(rita, "POST", f"/staff/section/cancel{where}", revision="1", reason="Too few students")
    course = {"title": "PHP 202", "credits": "4", "term": "Fall", "subject": "Web", "confirmed": "y"}
    await full.request(rita, "POST", "/staff/course?courseID=3333", **course)
    await full.request(rita, "POST", "/staff/course/new", courseID="5555", **course)
    days = {"opens_at": "2026-08-01", "add_deadline": "2026-09-14", "drop_deadline": "2026-09-14"}
    term = days | {"withdraw_deadline": "2026-10-31", "max_credits": "20", "timezone": "UTC", "confirmed": "y"}
    await full.request(rita, "POST", "/staff/term?term=Fall+2026", **term)
    await full.request(rita, "POST", "/staff/term/new", term="Summer 2027", **term)
    await full.request(rita, "POST", "/staff/roll", source="Fall 2026", target="Spring 2027", confirmed="y")


async def place_and_lift_holds(full: FullRun, rita: Browser) -> None:
    """Define a type, and place a hold of it, which is listed and then lifted."""
    hold_type = {"name": "Advising", "office": "Advising", "contact": "Room 5", "blocks": "enroll"}
    await full.request(rita, "POST", "/staff/holds/type", **hold_type)
    await full.request(rita, "POST", "/staff/students/2/holds/place", type="Advising", reason="See us")
    hold = await full.db.hold.find_one({})
    for query in ("?person=2&type=Advising&state=current", "?state=lifted"):
        await full.request(rita, "GET", f"/staff/holds{query}")
    await full.request(rita, "POST", f"/staff/students/2/holds/lift?hold={hold and hold['_id']}", reason="Seen")
    await full.request(rita, "POST", "/staff/holds/type?name=Advising", remove="y", **hold_type)


async def grant_and_revoke_permits(full: FullRun, rita: Browser, bob: Browser) -> None:
    """Grant permits for a section and a course, revoke one, and let bob use a permission number."""
    where = "?term=Fall+2026&courseID=1111&section=02"
    permit = {"overrides": "full", "reason": "Asked"}
    await full.request(rita, "POST", f"/staff/section/permits{where}", student="2", **permit)
    course = {"term": "Fall 2026", "courseID": "1111"}
    await full.request(rita, "POST", "/staff/students/2/permits/grant", **course, **permit)
    found = await full.db.permit.find_one({})
    appointment = {"student": "2", "starts_at": "2026-08-01"}
    await full.request(rita, "POST", "/staff/appointments?term=Fall+2026", **appointment)
    for query in ("", "&person=2", "&format=csv"):
        await full.request(rita, "GET", f"/staff/appointments?term=Fall+2026{query}")
    await full.request(rita, "POST", "/staff/appointments/remove?term=Fall+2026&user_id=2")
    slots = {"ranking": "credits", "starts_at": "2026-08-20", "slot_size": "1", "interval_minutes": "5"}
    await full.request(rita, "POST", "/staff/appointments/assign?term=Fall+2026", **slots)
    await retry_skipped(EnrollmentContext(full.db), "Fall 2026", datetime.now(UTC))
    revoke = f"/staff/permit/revoke?permit={found and found['_id']}"
    await full.request(rita, "GET", revoke)
    await full.request(rita, "POST", revoke, reason="A mistake")
    await full.request(rita, "POST", f"/staff/section/numbers{where}", number="2", ends_on="2026-12-31", **permit)
    number = await full.db.permission_number.find_one({})
    use = "/enrollment/permission-number?term=Fall+2026&courseID=1111"
    await full.request(bob, "POST", use, code=number and number["code"])
    await full.request(rita, "POST", f"/staff/section/numbers/revoke{where}", reason="A mistake")
    await full.db.section.update_many({"courseID": "1111"}, {"$set": {"consent": "department"}})
    ask = f"/enrollment/consent{where}"
    for path in (ask, f"/enrollment/consent/withdraw{where}", ask):
        await full.request(bob, "POST", path, message="I need it")
    await full.request(rita, "GET", "/staff")
    request = await full.db.permit.find_one({"status": "requested"})
    decision = {"requests": str(request and request["_id"]), "decision": "decline"}
    await full.request(rita, "POST", f"/staff/section/consent{where}", **decision)
    await full.db.section.update_many({"courseID": "1111"}, {"$unset": {"consent": ""}})


async def import_in_the_browser(full: FullRun, rita: Browser) -> None:
    """Import enrollments in the background, one of which is refused."""
    wakeup: Wakeup = full.app.extensions[EXTENSION].import_wakeup
    await full.request(rita, "POST", "/staff/import/new", kind="enrollment")
    rows = b"student,term,courseID,section,action\n1,Fall 2026,1111,1,drop\n2,Fall 2026,1111,7,add\n"
    files = {"file": FileStorage(BytesIO(rows), "file.csv")}
    response = await rita.post("/staff/import/new", form={"kind": "enrollment", "reason": "Advised"}, files=files)
    columns = {"column_0": "student", "column_1": "term", "column_2": "courseID", "column_3": "section"}
    response = await full.request(rita, "POST", str(response.location), **columns, column_4="action")
    await wakeup.settle()
    url = str(response.location)
    await full.request(rita, "GET", url)
    await full.request(rita, "POST", url)
    await wakeup.settle()
    await full.request(rita, "GET", f"{url}&format=csv")
    await full.request(rita, "GET", "/staff/imports")


async def use_accounts(full: FullRun, anyone: Browser, ada: Browser, bob: Browser, rita: Browser) -> None:
    await full.db.counter.delete_many({})
    newcomer = Browser(full.app.test_client())
    await full.request(newcomer, "POST", "/register", **registration())
    await full.request(newcomer, "POST", "/account/email")
    await full.request(anyone, "POST", "/login", email=ADA.email, password="wrong")
    await full.request(anyone, "POST", "/language", language="es")
    await full.request(anyone, "POST", "/password/forgot", email=ADA.email)
    await full.request(anyone, "POST", "/password/reset", token="unknown")
    await full.request(anyone, "POST", "/email/confirm", token="unknown")
    await full.request(ada, "POST", "/enrollment/calendar", password=PASSWORD)
    await full.request(ada, "POST", "/enrollment/calendar/end")
    shared = {"content": "plan", "term": "Fall 2026", "password": PASSWORD}
    page = await text(await full.request(ada, "POST", "/enrollment/links", **shared))
    [path] = re.findall(r'value="http://localhost(/shared/[^"]+)"', page)
    await full.request(anyone, "GET", path)
    await full.request(ada, "POST", "/enrollment/links/end", link_id="unknown")
    await full.request(ada, "POST", "/account/tokens", name="mine", scope="read", days="30", password=PASSWORD)
    await full.request(anyone, "POST", "/email/change", decision="agree")
    await full.request(ada, "POST", "/account/email/change", email="ada.new@school.example", password=PASSWORD)
    await full.request(ada, "POST", "/account/email/stop")
    await full.request(ada, "POST", "/account/name", preferred_name="Max", pronouns="they/them")
    await full.request(ada, "POST", "/account/timezone", timezone="America/Chicago")
    await full.request(ada, "POST", "/account/emails", **dict.fromkeys(EmailKind, "off"))
    unsubscribe = urlsplit(full.app.extensions[EXTENSION].links.unsubscribe(ADA, EmailKind.ALERT)).path
    await full.request(anyone, "POST", unsubscribe)
    await full.request(ada, "POST", "/account/tokens/end", token_id="unknown")
    await full.request(ada, "POST", "/account/end", login="unknown")
    changed = {"password": "another long sentence", "password_confirm": "another long sentence"}
    await full.request(ada, "POST", "/account/password", current=PASSWORD, **changed)
    await full.request(ada, "POST", "/account/sign-out")
    await full.request(rita, "POST", "/staff/people/1", seen="", roles="student", advisors="", confirmed="y")
    await full.request(bob, "POST", "/account/delete/end")
    await full.request(rita, "POST", "/staff/view-as", user_id="2")
    await full.request(rita, "POST", "/staff/view-as/end")
    await full.request(bob, "POST", "/account/delete", password=PASSWORD)
    await full.request(newcomer, "POST", "/logout")


async def run_commands(full: FullRun) -> None:
    """Import changes of everything, while ada waits for a section in which bob is enrolled."""
    far = dict.fromkeys(("add_deadline", "drop_deadline", "withdraw_deadline"), datetime(2190, 1, 1, tzinfo=UTC))
    await full.db.term.update_one({"term": FALL.term}, {"$set": far})
    days = "Fall 2026,2026-08-02,2189-01-01T09:00,2190-01-01,2191-01-01"
    await full.run("import", "term", text=f"term,opens_at,add_deadline,drop_deadline,withdraw_deadline\n{days}\n")
    await full.run("import", "course", text="courseID,title,credits,term\n3333,PHP 202,5,Fall\n")
    await full.run(
        "import", "section", text="term,courseID,section,capacity,meetings\nFall 2026,3333,1,1,MWF 7:00-7:50\n"
    )
    await full.run("upgrade-db")
    await full.run("check-seats")


async def test_a_full_run_asks_all_shards_only_as_the_document_says(
    full_run: FullRun, anyone: Browser, ada: Browser, bob: Browser, rita: Browser
) -> None:
    program = await api_clients.program(full_run.app, full_run.db, ADA)
    await change_seats(full_run, ada, bob)
    await open_every_page(full_run, anyone, ada, rita, program)
    await run_commands(full_run)
    await use_the_api(full_run, program)
    staff_program = await api_clients.program(full_run.app, full_run.db, RITA, Scope.STAFF_WRITE)
    await use_the_api_as_staff(full_run, staff_program)
    await read_reports(full_run, rita)
    await change_the_catalog(full_run, rita)
    await place_and_lift_holds(full_run, rita)
    await grant_and_revoke_permits(full_run, rita, bob)
    await import_in_the_browser(full_run, rita)
    await use_accounts(full_run, anyone, ada, bob, rita)
    await compare_with_past_terms(full_run)
    assert {route.endpoint for route in ROUTES} == full_run.endpoints
    assert full_run.transactions == TABLE.transactions
    asked = {
        (one.collection, field_names(one.fields))
        for one in full_run.recorded
        if not command_checks.is_by_operators(one) and TABLE.target(one) == ALL
    }
    assert asked == TABLE.broadcasts
