"""BrowsingDay: an ordinary day of a term. Students browse, some enroll or drop, and programs read the catalog."""

import random

from locust import between, task

from tests.load.locust_students import SCHOOL, TERM, CrowdShape, LocustStudent

SEARCH_WORDS = ("algebra", "biology", "law", "teacher 0", "draw", "no such course", "history", "french")


class BrowsingStudent(LocustStudent):
    """A student who browses the catalog."""

    wait_time = between(1, 5)

    @task(6)
    def look_through_the_catalog(self) -> None:
        self.get("/courses/", "opens the catalog")
        self.get(f"/courses/{TERM}?page=2", "turns the page")

    @task(5)
    def search(self) -> None:
        self.get(f"/courses/{TERM}?q={random.choice(SEARCH_WORDS).replace(' ', '+')}", "searches")

    @task(4)
    def look_at_a_course(self) -> None:
        courseID = random.choice(list(SCHOOL["courses"]))
        self.get(f"/course/{courseID}?term={TERM}", "looks at a course")
        self.open_page("/live", [courseID])

    @task(3)
    def look_at_the_schedule(self) -> None:
        self.get("/enrollment", "looks at the schedule")

    @task(2)
    def open_the_home_page(self) -> None:
        self.get("/", "opens the home page")

    @task(1)
    def add_to_the_plan(self) -> None:
        courseID = random.choice(list(SCHOOL["courses"]))
        self.submit("/plan/add", "adds to the plan", courseID=courseID, term=TERM, section=SCHOOL["sections"][0])

    @task(1)
    def drop_or_enroll(self) -> None:
        if self.seats and random.random() < 0.4:
            self.drop(random.choice(sorted(self.seats)))
        else:
            self.enroll(random.choice(list(SCHOOL["courses"])))

    @task(1)
    def read_the_api(self) -> None:
        self.get("/api/", "a program reads /api/", Accept="application/json")
        self.get("/api/v1/sections", "a program reads /api/v1/sections", Accept="application/json")


class BrowsingDay(CrowdShape):
    """Students arrive one after another."""
