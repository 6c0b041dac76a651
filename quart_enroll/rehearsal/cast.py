"""The students of a rehearsal, with what they need to sign in."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from werkzeug.security import generate_password_hash

from quart_enroll.domain.models import Login, User
from quart_enroll.rehearsal.extent import Extent
from quart_enroll.rehearsal.invention import Demand, InventedStudent, estimate_demand, invent_students
from quart_enroll.services.accounts.token_digest import token_digest
from quart_enroll.services.maintenance import rehearsal
from quart_enroll.services.maintenance.rehearsal import SchoolFacts, StudentRows

SIGN_IN_LIFETIME = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Cast:
    """The students; the password that they share, its hash and the CPU seconds that hashing takes.

    `identities` are those of the sign-ins of students who come signed in, by user_id.
    """

    students: Sequence[InventedStudent]
    demand: Demand
    password: str
    password_hash: str
    hash_seconds: float
    identities: Mapping[int, str]

    def rows(self, now: datetime) -> list[StudentRows]:
        """Return what to store about the students."""
        return [_rows(one, self.identities.get(one.user_id), now) for one in self.students]


def choose_cast(facts: SchoolFacts, extent: Extent, password_method: str) -> Cast:
    """Invent the students; all but their secrets is the same for the same seed."""
    offered = facts.sections_in(facts.term)
    earlier = sorted((one for one in facts.terms if one.comes_before(facts.term)), key=lambda one: one.order)
    demand = estimate_demand(
        offered, facts.plans, {one.term: facts.sections_in(one) for one in reversed(earlier)}, extent.seed
    )
    students = invent_students(
        facts.term,
        {course.courseID: course for course in facts.courses},
        offered,
        demand,
        number=extent.students,
        password_share=extent.password_percent / 100,
        seed=extent.seed,
    )
    password = secrets.token_urlsafe(12)
    began = time.thread_time()
    hashed = generate_password_hash(password, password_method)
    hash_seconds = time.thread_time() - began
    identities = {one.user_id: secrets.token_urlsafe(32) for one in students if not one.uses_password}
    return Cast(students, demand, password, hashed, hash_seconds, identities)


def _rows(student: InventedStudent, identity: str | None, now: datetime) -> StudentRows:
    login = None
    if identity is not None:
        login = Login(token_digest(identity), student.user_id, now, now, now + SIGN_IN_LIFETIME, False, now)
    user = User(student.user_id, student.email, "Invented", f"Student {student.user_id}")
    return StudentRows(user, login, student.plan, [rehearsal.past_key(courseID) for courseID in student.taken])
