"""RegistrationDay: students sign in early and wait with a plan, enroll at the opening, and then fill the gaps."""

import random

from locust import between, task

from tests.load.locust_students import SCHOOL, TERM, CrowdShape, LocustStudent, wait_for_opening


class RegisteringStudent(LocustStudent):
    """A student with a plan, who gets most of it in the first second and then tries to get the rest."""

    wait_time = between(1, 5)
    signs_in_by_form = True

    def on_start(self) -> None:
        super().on_start()
        self.plan: list[str] = self.person["plan"]
        self.get(f"/plan?term={TERM}", "waits on the plan page")
        self.open_page("/live", self.plan)
        wait_for_opening(max_delay_seconds=3)
        self.close_page()
        self.record_press(settled=self.enroll_in_all("presses “Enroll in all”"))
        if self.person["device"] > 1:  # the student goes on with the first device
            self.tasks = [type(self).reload, type(self).look_at_the_schedule]

    @task(4)
    def reload(self) -> None:
        self.get(f"/plan?term={TERM}", "reloads the plan")

    @task(3)
    def look_at_the_schedule(self) -> None:
        self.get("/enrollment", "looks at the schedule")

    @task(3)
    def try_again(self) -> None:
        missing = [courseID for courseID in self.plan if courseID not in self.seats]
        self.enroll(random.choice(missing or self.plan))

    @task(3)
    def join_a_waitlist(self) -> None:
        if missing := [courseID for courseID in self.plan if courseID not in self.seats]:
            self.join_waitlist(random.choice(missing), random.choice(SCHOOL["sections"]))

    @task(2)
    def enroll_in_an_open_course(self) -> None:
        self.get(f"/courses/{TERM}?open=1", "looks for open seats")
        self.enroll(random.choice(list(SCHOOL["courses"])))

    @task(1)
    def drop_a_course(self) -> None:
        if self.seats:
            self.drop(random.choice(sorted(self.seats)))

    @task(1)
    def swap_a_course(self) -> None:
        if self.seats:
            self.swap(random.choice(sorted(self.seats)), random.choice(list(SCHOOL["courses"])))

    @task(1)
    def enroll_in_all_again(self) -> None:
        self.enroll_in_all("presses “Enroll in all” once more")


class RegistrationDay(CrowdShape):
    """All students arrive before the opening."""
