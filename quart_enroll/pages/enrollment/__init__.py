"""Pages about a student's courses: the schedule, enrolling, waitlists, alerts, the plan, the history, the calendar.

Pages about the user rather than the courses belong in pages.account.
"""
