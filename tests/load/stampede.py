"""Stampede: all students enroll in the same section in the same second; those without a seat join the waitlist."""

import random

from locust import between, task

from tests.load.locust_students import SCHOOL, CrowdShape, LocustStudent, wait_for_opening


class StampedingStudent(LocustStudent):
    """A student who wants this one section."""

    wait_time = between(2, 6)

    def on_start(self) -> None:
        super().on_start()
        self.courseID, self.section = next(iter(SCHOOL["courses"])), SCHOOL["sections"][0]
        self.get(f"/course/{self.courseID}", "waits on the course’s page")
        wait_for_opening(max_delay_seconds=0.5)
        self.enroll(self.courseID, self.section)

    @task(3)
    def reload(self) -> None:
        self.get(f"/course/{self.courseID}", "reloads the course’s page")

    @task(2)
    def try_again(self) -> None:
        self.enroll(self.courseID, self.section)

    @task(2)
    def join_a_waitlist(self) -> None:
        if self.courseID not in self.seats:
            self.join_waitlist(self.courseID, self.section)

    @task(1)
    def drop_the_course(self) -> None:
        if self.courseID in self.seats and random.random() < 0.2:
            self.drop(self.courseID)


class Stampede(CrowdShape):
    """All students wait on the page when the section opens."""
