"""The enrollments of past terms, as many as a school collects in years."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import MongoClient

TERMS_PER_STUDENT, COURSES_PER_TERM = 8, 5
FIRST_STUDENT_ID = 10_001
"""The students who enroll now, as far as there are as many, have a past; the others have left the school."""


def add(uri: str, enrollments: int, courses: int) -> None:
    """Add past terms, with that many enrollments in the courses C0, C1, …; MongoDB itself computes the rows."""
    names = [f"Term {number}" for number in range(TERMS_PER_STUDENT)]
    now = datetime.now(UTC)
    with MongoClient[dict[str, Any]](uri) as client:
        db = client.get_default_database()
        for years_ago, name in enumerate(names, 1):
            opened = now - timedelta(days=200 * years_ago)
            closed = {field: opened + timedelta(days=90) for field in ("add_deadline", "drop_deadline")}
            term = {"term": name, "opens_at": opened, **closed, "withdraw_deadline": opened + timedelta(days=120)}
            db.term.insert_one(term | {"max_credits": 100, "timezone": "UTC"})
        students = enrollments // (TERMS_PER_STUDENT * COURSES_PER_TERM)
        db.aggregate(_rows(names, students, courses, now), allowDiskUse=True)


def _rows(names: list[str], students: int, courses: int, now: datetime) -> list[dict[str, Any]]:
    """Return the pipeline that computes and stores the enrollments: each student has each course at most once."""
    per_student = TERMS_PER_STUDENT * COURSES_PER_TERM
    number = {"$mod": [{"$add": [{"$multiply": ["$user_id", 7]}, "$turn"]}, courses]}
    row = {
        "user_id": 1,
        "courseID": {"$concat": ["C", {"$toString": number}]},
        "term": {"$arrayElemAt": [names, {"$mod": ["$turn", TERMS_PER_STUDENT]}]},
        "section": {"$literal": "01"},
        "enrolled_at": {"$literal": now - timedelta(days=300)},
        "status": {"$literal": "enrolled"},
    }
    return [
        {"$documents": [{"user_id": {"$range": [FIRST_STUDENT_ID, FIRST_STUDENT_ID + students]}}]},
        {"$unwind": "$user_id"},
        {"$set": {"turn": {"$range": [0, per_student]}}},
        {"$unwind": "$turn"},
        {"$project": row},
        {"$merge": {"into": "enrollment", "whenMatched": "fail"}},
    ]
