"""Quart Enroll: course enrollment for a school, quick and right in the minute registration opens."""
