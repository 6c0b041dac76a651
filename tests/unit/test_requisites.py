"""Prerequisites with alternatives, written as text."""

import random
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import pytest

from quart_enroll.db.queries import message_codec
from quart_enroll.domain import repeat_rules, requisites
from quart_enroll.domain.models import Course, Registration, Section, TakenCourse
from quart_enroll.domain.requisite_parser import RequisiteError, parse, stored
from quart_enroll.domain.requisite_rules import (
    PrerequisiteMissing,
    check_prerequisites,
    counted_as,
    dependent_courses,
    missing_corequisites,
    missing_prerequisites,
    with_equivalents,
)
from quart_enroll.domain.requisites import (
    AllOf,
    AnyOf,
    Concurrently,
    MinimumCredits,
    Permission,
    Placement,
    Requisite,
    Standing,
    WithGrade,
)
from quart_enroll.domain.student_attributes import NO_ATTRIBUTES, StudentAttributes
from quart_enroll.i18n.language import use_language
from quart_enroll.services.catalog import import_courses
from quart_enroll.services.catalog.import_courses import ImportedCourse, KnownCourseIDs
from tests.support.people import FALL, SPRING

COURSES = ("A", "B", "C", "D")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("MAT 115", "MAT 115"),
        ("((MAT  115))", "MAT 115"),
        ("(MAT 115, OR MAT 120) And ENG 101", "(MAT 115 or MAT 120) and ENG 101"),
        ("A, B, or C", "A or B or C"),
        ("A and (B and C)", "A and B and C"),
        ("A or A", "A"),
        ("A CONCURRENTLY, or B", "A concurrently or B"),
        ("(A with c- or better, or B) and C", "(A with C- or better or B) and C"),
        ("A WITH B or C", "A with B or better or C"),
        ("A or at least 60 earned Credits", "A or 60 credits"),
        ("(1 credit, or 59.50 credits)", "1 credits or 59.5 credits"),
        ("Junior Standing or Pre-Nursing  standing", "Junior standing or Pre-Nursing standing"),
        ("math placement of 70 or higher or A", "math placement of 70 or better or A"),
        ("Spanish II PLACEMENT 4.5", "Spanish II placement of 4.5 or better"),
        ("A or Permission of the Instructor", "A or permission"),
        ("instructor consent", "permission"),
        (" ", ""),
    ],
)
def test_a_text_is_read_in_many_spellings(text: str, canonical: str) -> None:
    assert requisites.to_text(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A and", "Character 6: enter a course number here."),
        ("A and or B", "Character 7: enter a course number here."),
        ("()", "Character 2: enter a course number here."),
        ("A, B", "Character 2: write “and” or “or” after this comma."),
        ("A or B, C", "Character 7: write “and” or “or” after this comma."),
        ("(A or B) C", "Character 10: write “and” or “or” here."),
        ("A or B and C", "Character 8: “and” and “or” can’t be mixed without parentheses. "),
        ("A and (B or C", "Character 7: this parenthesis has no matching “)”."),
        ("A and B)", "Character 8: this parenthesis has no matching “(”."),
        ("A and MAT 115 with C or B", "Character 22: “and” and “or” can’t be mixed without parentheses. "),
        ("A or MAT 115 with F or better", "Character 19: enter one of these grades: A+, A, A-"),
        ("A and at least 1001 credits", "Character 16: enter a number from 0 to 1,000 here."),
        ("A or 6.125 earned credits", "Character 6: enter a number from 0 to 1,000 here."),
        ("A or Math placement", "Character 20: enter a number from 0 to 1,000 here."),
        ("Math placement of good or better", "Character 19: enter a number from 0 to 1,000 here."),
        ("A and Math placement 70 80", "Character 22: enter a number from 0 to 1,000 here."),
        (f"A or {'x' * 51} standing", "Character 6: a value can have at most 50 characters."),
        ("A and MAT 115 with a really good grade", "Character 7: a course number can have at most 20 characters."),
        ("(" * 11 + "A" + ")" * 11, "Character 11: the parentheses are nested too deeply here."),
    ],
)
def test_an_error_names_the_place(text: str, message: str) -> None:
    with pytest.raises(RequisiteError) as error:
        parse(text)
    assert str(error.value.args[0]).startswith(message)


def _random_requisite(dice: random.Random, depth: int = 3, *, is_plain: bool = False) -> Requisite:
    if depth == 0 or dice.random() < 0.3:
        courseID = dice.choice(COURSES)
        others = [MinimumCredits(60), Standing("Junior"), Placement("Math", 70.5), Permission()]
        return (
            courseID
            if is_plain
            else dice.choice([courseID, Concurrently(courseID), WithGrade(courseID, "B-"), *others])
        )
    parts = [_random_requisite(dice, depth - 1, is_plain=is_plain) for _ in range(dice.randint(2, 3))]
    return requisites.group(dice.choice([AllOf, AnyOf]), parts)


def test_a_requisite_is_read_as_it_was_written() -> None:
    dice = random.Random(3)  # noqa: S311  # a test's dice
    for _ in range(500):
        requisite = _random_requisite(dice)
        assert parse(requisites.to_text(requisite)) == requisite


def test_a_requisite_is_met_like_the_same_formula_in_python() -> None:
    dice = random.Random(5)  # noqa: S311  # the same
    for _ in range(200):
        text = requisites.to_text(_random_requisite(dice, is_plain=True))
        for values in product([False, True], repeat=len(COURSES)):
            taken = dict(zip(COURSES, values, strict=True))
            is_met = not requisites.unmet(parse(text), taken.__getitem__)
            assert is_met == eval(text, taken), (text, values)  # noqa: S307  # the text has only these names


def test_only_the_missing_part_is_named_in_each_language() -> None:
    course = Course("X", "BIO 300", "", 3, "Fall", needs=("Algebra", "Calculus", "Essays"), requisite="(A or B) and C")
    with pytest.raises(PrerequisiteMissing) as refused:
        check_prerequisites(course, SPRING, [])
    assert refused.value.text == "BIO 300 requires (Algebra or Calculus) and Essays from an earlier term."
    with use_language("es"):
        assert "(Algebra o Calculus) y Essays" in refused.value.text
    sentence = refused.value.message
    assert message_codec.decode(message_codec.encode(sentence)) == sentence
    with pytest.raises(PrerequisiteMissing, match="requires Algebra or Calculus from"):
        check_prerequisites(course, SPRING, [TakenCourse("C", FALL)])
    assert not missing_prerequisites(course, SPRING, [TakenCourse("C", FALL), TakenCourse("B", FALL)])
    assert missing_prerequisites(course, FALL, [TakenCourse("C", FALL), TakenCourse("B", FALL)])


def test_a_stored_text_that_cannot_be_read_is_never_met() -> None:
    course = Course("X", "BIO 300", "", 3, "Fall", requisite="A and (B")
    assert stored(course.requisite) == "A and (B"
    with pytest.raises(PrerequisiteMissing, match=r"requires A and \(B from"):
        check_prerequisites(course, SPRING, [TakenCourse("A", FALL), TakenCourse("B", FALL)])


def _registration(courseID: str, requisite: str = "") -> Registration:
    course = Course(courseID, courseID, "", 3, "Fall", requisite=requisite)
    return Registration(course, Section(SPRING.term, courseID, "01", 9), "enrolled")


def test_a_course_in_the_same_term_counts_only_where_it_may_be_taken_concurrently() -> None:
    course = Course("X", "BIO 300", "", 3, "Fall", needs=("Algebra", "Essays"), requisite="A concurrently and C")
    a, c = map(_registration, "AC")
    assert missing_prerequisites(course, SPRING, [], [a, c]) == ["C"]
    assert missing_prerequisites(course, SPRING, [TakenCourse("C", FALL)], together_with=["A"]) == []
    assert missing_prerequisites(course, SPRING, [TakenCourse("C", FALL), TakenCourse("A", FALL)]) == []
    with pytest.raises(PrerequisiteMissing) as refused:
        check_prerequisites(course, SPRING, [])
    assert refused.value.text == "BIO 300 requires Algebra (in the same term or earlier) and Essays."
    sentence = refused.value.message
    assert message_codec.decode(message_codec.encode(sentence)) == sentence


def test_a_course_is_dropped_with_the_one_that_it_may_need_in_the_same_term() -> None:
    x, a, b = _registration("X", "(A concurrently or B concurrently) and C"), _registration("A"), _registration("B")
    taken = [TakenCourse("C", FALL)]
    assert dependent_courses("A", SPRING, [x, a], taken) == [x]
    assert dependent_courses("A", SPRING, [x, a, b], taken) == []
    assert dependent_courses("A", SPRING, [x, a], [*taken, TakenCourse("A", FALL)]) == []
    assert dependent_courses("A", SPRING, [x, a], []) == []  # it is there without C, so a waiver must allow it


@pytest.mark.parametrize(
    ("grade", "is_enough", "counts"),
    [
        ("C", True, True),
        ("A", True, True),
        ("P", True, True),
        ("", True, True),
        ("C-", False, True),
        ("F", False, False),
    ],
)
def test_a_grade_must_be_good_enough(grade: str, is_enough: bool, counts: bool) -> None:
    taken = [TakenCourse("A", FALL, grade), TakenCourse("A", FALL, "F")]
    needs_c = Course("X", "BIO 300", "", 3, "Fall", requisite="A with C or better")
    assert (not missing_prerequisites(needs_c, SPRING, taken)) == is_enough
    for others in ({"prerequisites": ("A",)}, {"requisite": "A concurrently"}):
        course = Course("X", "BIO 300", "", 3, "Fall", **others)  # type: ignore[arg-type]
        assert (not missing_prerequisites(course, SPRING, taken)) == counts
    with pytest.raises(
        PrerequisiteMissing, match=r"BIO 300 requires A with a grade of C or better from an earlier term\."
    ):
        check_prerequisites(needs_c, SPRING, [])


def test_a_course_in_progress_counts_if_the_term_says_so() -> None:
    course = Course("X", "BIO 300", "", 3, "Fall", prerequisites=("A",), corequisites=("A",))
    strict, in_progress, passed = replace(SPRING, in_progress_counts=False), TakenCourse("A", FALL), ("A", FALL, "C")
    for term, taken, is_met in ((SPRING, in_progress, True), (strict, in_progress, False), (strict, passed, True)):
        assert (not missing_prerequisites(course, term, [TakenCourse(*taken)])) == is_met
        assert (not missing_corequisites(course, term, [], [TakenCourse(*taken)])) == is_met
    with pytest.raises(PrerequisiteMissing) as refused:
        check_prerequisites(course, strict, [in_progress])
    assert refused.value.text == "BIO 300 requires A from an earlier term. A course counts once its grade is recorded."


def test_equivalent_courses_count_with_their_grades_but_not_as_attempts() -> None:
    counted = counted_as({"A": ["E"], "B": ["E", "F"]})
    taken = with_equivalents([TakenCourse("E", FALL, "C")], counted)
    course = Course("X", "BIO 300", "", 3, "Fall", requisite="A with C or better and B")
    assert missing_prerequisites(course, SPRING, taken) == []
    assert missing_prerequisites(replace(course, requisite="A with B"), SPRING, taken) == [WithGrade("A", "B")]
    assert missing_prerequisites(replace(course, requisite="F"), SPRING, taken) == ["F"]
    assert repeat_rules.attempts(Course("A", "A", "", 3, "Fall", max_attempts=1), SPRING, taken) == []


JUNIOR = StudentAttributes(standing="junior", earned_credits=60, placements=("Math 70", "Math 55", "Art 3.5"))


@pytest.mark.parametrize(
    ("requisite", "is_met"),
    [
        ("60 credits", True),
        ("60.5 credits", False),
        ("Junior standing", True),
        ("Senior standing", False),
        ("MATH placement of 70", True),
        ("Math placement of 71", False),
        ("Art placement of 3.5 and Junior standing", True),
        ("Biology placement of 0", False),
        ("permission", False),
        ("A or permission", False),
        ("A or 30 credits", True),
        ("A concurrently or 30 credits", True),
    ],
)
def test_other_terms_depend_on_the_attributes(requisite: str, is_met: bool) -> None:
    course = Course("X", "BIO 300", "", 3, "Fall", requisite=requisite)
    assert (not missing_prerequisites(course, SPRING, [], attributes=JUNIOR)) == is_met
    assert missing_prerequisites(course, SPRING, [], attributes=NO_ATTRIBUTES)
    assert course.depends_on_attributes


def test_a_refusal_names_the_other_terms_too() -> None:
    text = "(A or 60 credits) and Junior standing and Math placement of 70 and (B or permission)"
    course = Course("X", "BIO 300", "", 3, "Fall", needs=("Algebra", "Essays"), requisite=text)
    with pytest.raises(PrerequisiteMissing) as refused:
        check_prerequisites(course, SPRING, [])
    assert refused.value.text == (
        "BIO 300 requires (Algebra or 60 earned credits), Junior standing, a score of 70 or better on the Math "
        "placement test, and (Essays or the permission of the instructor). For permission, ask the instructor."
    )
    assert message_codec.decode(message_codec.encode(refused.value.message)) == refused.value.message


def test_a_student_who_meets_the_prerequisite_otherwise_keeps_the_course() -> None:
    x, a = _registration("X", "A concurrently or 60 credits"), _registration("A")
    assert dependent_courses("A", SPRING, [x, a], []) == [x]
    assert dependent_courses("A", SPRING, [x, a], [], JUNIOR) == []


def test_the_courses_of_the_catalog_are_indexed_once_for_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Counted(KnownCourseIDs):
        def __init__(self, courseIDs: Iterable[str]) -> None:  # the stored name
            made.append(1)
            super().__init__(courseIDs)

    monkeypatch.setattr(import_courses, "KnownCourseIDs", Counted)
    found = [Course(str(number), "Title", "", 3, "Fall", requisite="0") for number in range(1, 9)]
    rows = [ImportedCourse(number, one, frozenset({"requisite"})) for number, one in enumerate(found)]
    import_courses._refuse_unknown_requisites(rows, found, {"0", *(one.courseID for one in found)})
    assert len(made) == 1
