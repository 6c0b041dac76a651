"""BrowsingDay: an ordinary day of a term. Students browse, some make changes, and programs read the catalog."""

import random

from locust import between, task

from tests.load.people import SCHOOL, TERM, TIME, Crowd, Student

WORDS = ("algebra", "biology", "law", "teacher 0", "draw", "no such course", "history", "french")


class Browsing(Student):
    """A student who browses."""

    wait_time = between(1, 5)

    @task(6)
    def look_through_the_catalog(self) -> None:
        self.look("/courses/", "opens the catalog")
        self.look(f"/courses/{TERM}?page=2", "turns the page")

    @task(5)
    def search(self) -> None:
        self.look(f"/courses/{TERM}?q={random.choice(WORDS).replace(' ', '+')}", "searches")

    @task(4)
    def look_at_a_course(self) -> None:
        courseID = random.choice(list(SCHOOL["courses"]))
        self.look(f"/course/{courseID}?term={TERM}", "looks at a course")
        self.open_page("/live", [courseID])

    @task(3)
    def look_at_the_schedule(self) -> None:
        self.look("/enrollment", "looks at the schedule")

    @task(2)
    def go_home(self) -> None:
        self.look("/", "opens the home page")

    @task(1)
    def plan_something(self) -> None:
        courseID = random.choice(list(SCHOOL["courses"]))
        self.send("/plan/add", "adds to the plan", courseID=courseID, term=TERM, section=SCHOOL["sections"][0])

    @task(1)
    def change_something(self) -> None:
        if self.seats and random.random() < 0.4:
            self.drop(random.choice(sorted(self.seats)))
        else:
            self.enroll(random.choice(list(SCHOOL["courses"])))

    @task(1)
    def let_a_program_read(self) -> None:
        self.look("/api/", "a program reads /api/", Accept="application/json")
        self.look("/api/v1/sections", "a program reads /api/v1/sections", Accept="application/json")


class BrowsingDay(Crowd):
    early = TIME * 0.2
