"""Describes gaps in the catalog: courses without sections, and sections without a course or a term."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from quart_enroll.domain import terms
from quart_enroll.domain.models import Course, SectionKey, Term
from quart_enroll.i18n.language import Sentence, plural

MAX_LISTED_NAMES = 10
"""Names that a sentence lists; it only counts the others."""


def without_sections(courses: Iterable[Course], known: Sequence[Term]) -> list[Sentence]:
    """Describe these courses, which have no section in any term; `known` are all terms of the school."""
    lacking: list[str] = []
    by_text: defaultdict[str, list[str]] = defaultdict(list)
    for course in courses:
        of_no_term = bool(known) and not terms.known_in(course.term, known)
        (by_text[course.term] if of_no_term else lacking).append(course.courseID)
    sentences = [
        plural(
            "No student can enroll in %(number)s course of “%(term)s”, which is not a term of the school: %(names)s. "
            "Add the term with `import term`, or change the course with `import course`.",
            "No student can enroll in %(number)s courses of “%(term)s”, which is not a term of the school: %(names)s. "
            "Add the term with `import term`, or change the course with `import course`.",
            len(names),
            term=text,
            names=_some(names),
        )
        for text, names in by_text.items()
    ]
    if lacking:
        sentences.append(
            plural(
                "No student can enroll in %(number)s course without sections: %(names)s. "
                "Add sections with `import section`, or give each course a section 01 with `upgrade-db --sections`.",
                "No student can enroll in %(number)s courses without sections: %(names)s. "
                "Add sections with `import section`, or give each course a section 01 with `upgrade-db --sections`.",
                len(lacking),
                names=_some(lacking),
            )
        )
    return sentences


def lost_sections(keys: Iterable[SectionKey], courses: Collection[str], known: Collection[str]) -> list[str]:
    """Describe the sections of courses that are not in the catalog, and of terms that are not `known`."""
    of_courses: defaultdict[str, list[str]] = defaultdict(list)
    of_terms: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted(keys):
        if key.courseID not in courses:
            of_courses[key.courseID].append(f"{key.section} ({key.term})")
        elif key.term not in known:
            of_terms[key.term].append(f"{key.courseID} {key.section}")
    return [
        *(
            f"Students can’t see the sections of course {courseID}, which is not in the catalog: {listed(names)}. "
            "Add the course with `import course`."
            for courseID, names in of_courses.items()
        ),
        *(
            f"Students can’t see the sections of {term}, which is not a term of the school: {listed(names)}. "
            "Add the term with `import term`."
            for term, names in of_terms.items()
        ),
    ]


def listed(names: Sequence[object]) -> str:
    """Return the first of these names, and the number of the others."""
    rest = len(names) - MAX_LISTED_NAMES
    text = ", ".join(map(str, names[:MAX_LISTED_NAMES]))
    return f"{text} and {rest} more" if rest > 0 else text


def _some(names: Sequence[str]) -> str | Sentence:
    """Return what `listed` returns, as a part of a sentence."""
    rest = len(names) - MAX_LISTED_NAMES
    first = ", ".join(names[:MAX_LISTED_NAMES])
    return Sentence("%(names)s and %(rest)s more", names=first, rest=str(rest)) if rest > 0 else first
