"""What rita has done as a member of the staff."""

from quart_enroll.domain.audit import About, AuditEntry, Change
from tests.support.people import ADA, FALL_MORNING, RITA

EDIT = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "section.edit",
    About("section", "Fall 2026", "1111", "01"),
    changes=(Change("capacity", "30", "40"), Change("room", "", "Hall 4")),
)
"""A change of a section."""

OVERRIDE = AuditEntry(
    FALL_MORNING,
    RITA.user_id,
    "student.add",
    About("section", "Fall 2026", "3333", "01"),
    user_id=ADA.user_id,
    reason="=Graduates in spring",
    overrides=("full",),
)
"""A seat for ada in a full section; the reason looks like a formula."""
