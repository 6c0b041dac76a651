"""A catalog made from another one by changing sections is the same as one made anew."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from quart_enroll.domain.catalog import Catalog
from quart_enroll.domain.models import Course, Section
from quart_enroll.domain.search import Search, search
from tests.support.people import COURSES, FALL, SECTIONS, TERMS

LOST = replace(SECTIONS[0], courseID="9999")
"""A section whose course was deleted."""

OF_PAST_TERM = replace(SECTIONS[0], term="Fall 1999")
ALL = (*SECTIONS, LOST, OF_PAST_TERM)


def contents(catalog: Catalog) -> object:
    """Return everything that can be looked up in the catalog."""
    terms = [*(term.term for term in catalog.terms), "Fall 1999", "none"]
    return (
        catalog.sections,
        [list(catalog.courses_in(term)) for term in catalog.terms],
        list(catalog.all_courses),
        [catalog.sections_in(courseID, term) for courseID in ("1111", "2222", "3333", "9999", "0") for term in terms],
        [catalog.find_section(one.courseID, one.term, one.section) for one in ALL],
        [catalog.find(one.courseID) for one in (*COURSES, Course("9999", "", "", 0, ""))],
    )


@pytest.mark.parametrize("changed", [[], [0], [1], [0, 1], list(range(len(ALL)))])
def test_changed_sections_are_found_in_place_of_the_old_ones(changed: Sequence[int]) -> None:
    before = Catalog(tuple(COURSES), tuple(TERMS), ALL)
    old_contents = contents(before)
    sections: list[Section] = list(ALL)
    for number in changed:
        sections[number] = replace(sections[number], seats_taken=7, room="Hall 9")
    after = before.with_sections(sections, [sections[number] for number in changed])
    assert contents(after) == contents(Catalog(tuple(COURSES), tuple(TERMS), tuple(sections)))
    assert contents(before) == old_contents  # a request in progress still uses it
    assert after.course_index is before.course_index
    assert after.search_index is before.search_index


def test_catalogs_with_equal_courses_share_the_search_index() -> None:
    before = Catalog(tuple(COURSES), tuple(TERMS), ALL)
    moved = Catalog(tuple(replace(one) for one in COURSES), tuple(TERMS), ALL[1:]).sharing_with(before)
    assert moved.search_index is before.search_index
    renamed = Catalog((replace(COURSES[0], title="PYT 102"), *COURSES[1:]), tuple(TERMS), ALL).sharing_with(before)
    assert [one.course.courseID for one in search(renamed, FALL, Search(words="pyt102"))] == ["1111"]
