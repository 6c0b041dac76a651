"""Enrollment: who takes which course."""

from datetime import datetime

from quart_enroll.errors import AlreadyEnrolled, UnknownCourse
from quart_enroll.models import ScheduledCourse, Wish
from quart_enroll.mongo import Database
from quart_enroll.repositories import courses, enrollments
from quart_enroll.services import terms


async def enroll(db: Database, user_id: int, wish: Wish, now: datetime) -> ScheduledCourse:
    """Give the student the course; all the same how often or from how many tabs it is asked for.

    Raises UnknownCourse, UnknownTerm, NotTaught, AlreadyEnrolled.
    """
    course = await courses.find(db, wish.courseID)
    if course is None:
        raise UnknownCourse(wish.courseID)
    term = str(terms.choose(course, wish.term, now.date()))
    if not await enrollments.add(db, user_id, course.courseID, term, now):
        raise AlreadyEnrolled(course.title, term)
    return ScheduledCourse.of(course, term)
