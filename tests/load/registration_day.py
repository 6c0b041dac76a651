"""RegistrationDay: students sign in early and wait on their plan; when enrollment opens, everybody enrolls; then they
try to get what they missed."""

import random

from locust import between, task

from tests.load.people import SCHOOL, TERM, TIME, Crowd, Student, after_the_opening


class OnRegistrationDay(Student):
    """A student with a plan, who gets most of it in the first second and tries to get the rest afterwards."""

    wait_time = between(1, 5)
    signs_in_by_form = True

    def on_start(self) -> None:
        super().on_start()
        self.plan: list[str] = self.person["plan"]
        self.look(f"/plan?term={TERM}", "waits on the plan page")
        self.open_page("/live", self.plan)
        after_the_opening(max_delay=3)
        self.leave_the_page()
        self.enroll_in_all("presses “Enroll in all”")

    @task(4)
    def reload(self) -> None:
        self.look(f"/plan?term={TERM}", "reloads the plan")

    @task(3)
    def look_at_the_schedule(self) -> None:
        self.look("/enrollment", "looks at the schedule")

    @task(3)
    def try_again(self) -> None:
        missing = [courseID for courseID in self.plan if courseID not in self.seats]
        self.enroll(random.choice(missing or self.plan))

    @task(3)
    def wait_for_a_seat(self) -> None:
        if missing := [courseID for courseID in self.plan if courseID not in self.seats]:
            self.join_waitlist(random.choice(missing), random.choice(SCHOOL["sections"]))

    @task(2)
    def look_for_another(self) -> None:
        self.look(f"/courses/{TERM}?open=1", "looks for open seats")
        self.enroll(random.choice(list(SCHOOL["courses"])))

    @task(1)
    def drop_one(self) -> None:
        if self.seats:
            self.drop(random.choice(sorted(self.seats)))

    @task(1)
    def take_another_instead(self) -> None:
        if self.seats:
            self.swap(random.choice(sorted(self.seats)), random.choice(list(SCHOOL["courses"])))

    @task(1)
    def press_once_more(self) -> None:
        self.enroll_in_all("presses “Enroll in all” once more")


class RegistrationDay(Crowd):
    early = TIME * 0.25
