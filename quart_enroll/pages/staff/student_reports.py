"""The reports about students: those without a seat, and those with few credits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import floor

from quart import url_for

from quart_enroll.charts import Bar
from quart_enroll.domain.models import User
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.staff.listing import Column, Listing
from quart_enroll.pages.staff.opening_reports import events_of, reason_name
from quart_enroll.pages.staff.report import Choice, ReportContent, bar_chart, cached
from quart_enroll.services.staff import reports as service
from quart_enroll.services.staff.reports import RefusedStudent, StudentCredits
from quart_enroll.state import database

CREDITS_PER_BAR = 3


@dataclass(frozen=True, slots=True)
class StudentRow:
    """A student in a report: with the account, which may be gone, and what the report says about them."""

    user_id: int
    user: User | None = None
    attempts: int = 0
    reasons: tuple[str, ...] = ()
    courseIDs: tuple[str, ...] = ()
    waiting: int = 0
    credits: int | float = 0

    @property
    def name(self) -> str:
        """The name, marked if the student opted out of the directory."""
        if self.user is None:
            return gettext("Deleted account %(user_id)s", user_id=str(self.user_id))
        if self.user.directory_opt_out:
            return gettext("%(name)s (opted out of the directory)", name=self.user.name_for_staff)
        return str(self.user.name_for_staff)


def _record_url(row: StudentRow) -> str:
    """Return the URL of the student's record, if the account still exists."""
    return url_for("staff_student", user_id=row.user_id) if row.user is not None else ""


STUDENT_COLUMNS: Sequence[Column[StudentRow]] = [
    Column("student", Sentence("Student"), lambda row: row.name, url=_record_url),
    Column("user_id", Sentence("ID"), lambda row: str(row.user_id)),
    Column("email", Sentence("Email"), lambda row: row.user.email if row.user else "", only_in_files=True),
]

UNSERVED: Listing[StudentRow] = Listing(
    "students-without-seats",
    [
        *STUDENT_COLUMNS,
        Column("attempts", Sentence("Attempts"), lambda row: row.attempts),
        Column("courses", Sentence("Courses"), lambda row: ", ".join(row.courseIDs)),
        Column("reasons", Sentence("Reasons"), lambda row: "; ".join(map(reason_name, row.reasons))),
        Column("waiting", Sentence("Waitlists"), lambda row: row.waiting),
    ],
)

FEW_CREDITS: Listing[StudentRow] = Listing(
    "students-with-few-credits", [*STUDENT_COLUMNS, Column("credits", Sentence("Credits"), lambda row: row.credits)]
)


async def unserved(choice: Choice) -> ReportContent[StudentRow]:
    """Show the students who were refused and have no seat in the term."""
    wanted, _ = events_of(choice)
    found, as_of = await cached(("unserved", wanted), partial(service.unserved_students, database(), wanted))
    reasons = Counter(reason for row in found.rows for reason in row.reasons)
    bars = [Bar(reason_name(reason), (number,)) for reason, number in reasons.most_common()]
    charts = bar_chart(Sentence("Students without a seat, by reason"), [Sentence("students")], bars)
    rows = [_unserved_row(row) for row in found.rows]
    return ReportContent(
        UNSERVED,
        rows,
        charts,
        [(Sentence("students without a seat"), len(rows))],
        as_of,
        str(found.computed_at),
        complete=partial(_complete, choice),
        complete_file=partial(_for_file, choice),
    )


def _unserved_row(row: RefusedStudent) -> StudentRow:
    return StudentRow(row.user_id, attempts=row.attempts, reasons=row.reasons, courseIDs=row.courseIDs)


async def few_credits(choice: Choice) -> ReportContent[StudentRow]:
    """Show the students with few credits in the term."""
    compute = partial(service.student_credits, database(), choice.term)
    found, as_of = await cached(("credits", choice.term.term), compute)
    limit = int(choice.form.credits.data)
    rows = [StudentRow(row.user_id, credits=row.credits) for row in found.rows if row.credits < limit]
    return ReportContent(
        FEW_CREDITS,
        rows,
        bar_chart(Sentence("Students by credits"), [Sentence("students")], _credit_bars(found.rows)),
        [(Sentence("students"), len(found.rows)), (Sentence("with fewer credits"), len(rows))],
        as_of,
        str(found.computed_at),
        complete=partial(_complete, None),
        complete_file=partial(_for_file, None),
    )


def _credit_bars(rows: Sequence[StudentCredits]) -> list[Bar]:
    """Return a bar for no credits, and one for each three of them; 3.5 credits are among those from 3 to 5."""
    numbers = Counter(-1 if row.credits == 0 else floor(row.credits / CREDITS_PER_BAR) for row in rows)

    def name(group: int) -> str:
        return "0" if group < 0 else f"{group * CREDITS_PER_BAR or 1}–{(group + 1) * CREDITS_PER_BAR - 1}"

    return [Bar(name(group), (numbers[group],)) for group in range(-1, max(numbers, default=-2) + 1)]


async def _for_file(choice: Choice | None, rows: Sequence[StudentRow]) -> Sequence[StudentRow]:
    """Complete the rows, without the students who opted out of the directory."""
    completed = await _complete(choice, rows)
    return [row for row in completed if row.user is None or not row.user.directory_opt_out]


async def _complete(choice: Choice | None, rows: Sequence[StudentRow]) -> Sequence[StudentRow]:
    """Add the accounts of the students, and with a choice, on how many waitlists of its term they are."""
    user_ids = [row.user_id for row in rows]
    found = await service.find_students(database(), user_ids)
    waiting = await service.find_waiting(database(), choice.term, user_ids) if choice else {}
    return [replace(row, user=found.get(row.user_id), waiting=waiting.get(row.user_id, 0)) for row in rows]
