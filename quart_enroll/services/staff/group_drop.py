"""Takes many students out of a section at once, without a W."""

from collections.abc import Collection

from quart_enroll.db.collections import enrollments, permits, schedules, sections, waitlist
from quart_enroll.domain.models import Course, SectionKey
from quart_enroll.services.enrollment.seat_changes import SeatTransaction, unblock_attempts


async def remove_students(
    transaction: SeatTransaction,
    course: Course,
    key: SectionKey,
    enrolled: Collection[int],
    waiting: Collection[int] = (),
) -> None:
    """Remove these students from the section and from its waitlist, as if they had never been in it.

    The caller writes the events and the notices, says whether the seats are open again (`freed_sections`), and ends
    with `promote_waitlists`.
    """
    db, session = transaction.db, transaction.session
    credits = {(user_id, key.term): 0 for user_id in waiting} | {
        (user_id, key.term): -course.credits for user_id in enrolled
    }
    await schedules.bump_versions(db, credits, session)
    pools = await enrollments.count_pools(db, key, enrolled, session)
    await enrollments.remove_all(db, key, enrolled, session)
    await permits.give_back(db, enrolled, key, session)
    await unblock_attempts(transaction, enrolled, course, key.term)
    await waitlist.remove_all(db, key, waiting, session)
    await sections.remove_students(db, key, enrolled=len(enrolled), waiting=len(waiting), pools=pools, session=session)
    transaction.dropped_seats.update((user_id, key) for user_id in enrolled)
    transaction.unblocked_students.extend((user_id, key.term) for user_id in enrolled)
    transaction.changed_waitlists.add(key)
