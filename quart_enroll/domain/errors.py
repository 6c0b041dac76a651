"""Refusals: each class is one reason why the rules say no."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import ClassVar, Literal

from quart_enroll.domain.actors import Override
from quart_enroll.domain.holds import Hold
from quart_enroll.domain.models import Consent, Section
from quart_enroll.domain.requisites import Permission, Requisite, WithGrade, leaves_of
from quart_enroll.domain.restrictions import Restriction
from quart_enroll.domain.student_attributes import StudentStatus
from quart_enroll.i18n.language import LastDay, Moment, NameList, Sentence, TermName, join_sentences, plural

MAX_CHOICES = 10
"""Courses that a message lists."""


class Refused(Exception):
    """The rules say no. The class attributes hold everything the site knows about a kind of refusal.

    A new kind needs a class here, and nothing elsewhere: pages, the API, its documentation and the student's history
    read the attributes.
    """

    status: ClassVar[int] = 409
    """The HTTP status."""

    code: ClassVar[str]
    """The name for programs. It never changes, because events are stored under it."""

    meaning: ClassVar[str]
    """What the code means, as the documentation of the API explains it."""

    severity: ClassVar[Literal["info", "warning", "danger"]] = "danger"
    """How a page shows the message: "info" if nothing had to change, "warning" if the student can do something else."""

    is_recorded: ClassVar[bool] = False
    """Whether it becomes an event. Refusals that only state a fact, such as AlreadyEnrolled, do not."""

    heading: ClassVar[Sentence | None] = None
    """The heading of its page, if the one for its status doesn't fit."""

    history_reason: ClassVar[Sentence | None] = None
    """The reason as the student's history states it; every recorded refusal has one."""

    override: ClassVar[Override | None] = None
    """The override with which staff set the rule aside; None for a rule that can't be overridden."""

    retry_after: int | None = None
    """Seconds after which the same request may succeed."""

    def __init__(self, message: Sentence) -> None:
        super().__init__(str(message))
        self.message = message

    @property
    def text(self) -> str:
        """Return the message in the reader's language."""
        return str(self.message)

    @property
    def details(self) -> Mapping[str, Sequence[str]]:
        """Return further facts for programs, by field of the problem."""
        return {}


class UnknownCourse(Refused):
    status = 404
    code = "unknown_course"
    meaning = "The catalog has no such course."

    def __init__(self, courseID: str) -> None:
        super().__init__(Sentence("There is no course %(courseID)s in the catalog.", courseID=courseID))


class AmbiguousCourse(Refused):
    """The number could mean any of several courses, which are given as titles by courseID."""

    code = "ambiguous_course"
    meaning = "The number could mean any of `courses`; send one of them."

    def __init__(self, text: str, courses: Mapping[str, str]) -> None:
        names = [f"{courseID} ({title})" for courseID, title in courses.items()]
        super().__init__(
            Sentence(
                "“%(text)s” matches several courses: %(names)s. Enter the number of the one you want.",
                text=text,
                names=tuple(names[:MAX_CHOICES]),
            )
        )
        self.courses = list(courses)

    @property
    def details(self) -> Mapping[str, Sequence[str]]:
        return {"courses": self.courses}


class UnknownTerm(Refused):
    """The catalog has no term of that name; `known_terms` are the names of its terms."""

    status = 404
    code = "unknown_term"
    meaning = "There is no such term; `terms` lists the existing ones."

    def __init__(self, text: str, known_terms: Sequence[str]) -> None:
        super().__init__(Sentence("There is no term “%(text)s” in the catalog.", text=text))
        self.known_terms = known_terms

    @property
    def details(self) -> Mapping[str, Sequence[str]]:
        return {"terms": self.known_terms}


class NoTerms(UnknownTerm):
    """The registrar has not imported any term yet."""

    code = "no_terms"
    meaning = "The school has no terms yet."

    def __init__(self) -> None:
        Refused.__init__(self, Sentence("No terms are available yet."))
        self.known_terms = []


class TermNeeded(Refused):
    """The student has the course in several terms, and the request names none of them."""

    code = "term_needed"
    meaning = "You have the course in several terms; send the one you mean."
    severity = "warning"

    def __init__(self, title: str, terms: Sequence[str]) -> None:
        super().__init__(
            Sentence(
                "%(title)s is on your schedule for %(terms)s. Choose one of these terms. No changes were made.",
                title=title,
                terms=tuple(TermName(term) for term in terms),
            )
        )


class NotTaught(Refused):
    code = "not_taught"
    meaning = "The course is not offered in that term."

    def __init__(self, title: str, term: str = "") -> None:
        if term:
            message = Sentence("%(title)s isn’t offered in %(term)s.", title=title, term=TermName(term))
        else:
            message = Sentence("%(title)s isn’t offered in upcoming terms.", title=title)
        super().__init__(message)


class UnknownSection(Refused):
    code = "unknown_section"
    meaning = "The course has no such section in that term."

    def __init__(self, title: str, section: str, term: str) -> None:
        super().__init__(
            Sentence(
                "%(title)s has no section %(section)s in %(term)s.", title=title, section=section, term=TermName(term)
            )
        )


class NotOpenYet(Refused):
    """Enrollment has not opened; `opens` says when it will, by the school's clock."""

    code = "not_open_yet"
    meaning = "Enrollment has not opened yet."
    is_recorded = True
    history_reason = Sentence("enrollment hadn’t opened yet")
    override = Override.CLOSED_TERM

    def __init__(self, term: str, opens: Moment) -> None:
        super().__init__(Sentence("Enrollment for %(term)s opens on %(opens)s.", term=TermName(term), opens=opens))


class Closed(Refused):
    code = "closed"
    meaning = "Enrollment is closed."
    is_recorded = True
    history_reason = Sentence("enrollment was closed")
    override = Override.CLOSED_TERM

    def __init__(self, term: str, closed: Moment | LastDay) -> None:
        if isinstance(closed, LastDay):
            message = Sentence("Enrollment for %(term)s closed at the end of %(day)s.", term=TermName(term), day=closed)
        else:
            message = Sentence("Enrollment for %(term)s closed on %(closed)s.", term=TermName(term), closed=closed)
        super().__init__(message)


class AppointmentNotBegun(Refused):
    """The student's enrollment appointment begins later."""

    code = "appointment_not_begun"
    meaning = "Your enrollment appointment has not begun yet."
    is_recorded = True
    history_reason = Sentence("your enrollment appointment hadn’t begun yet")
    override = Override.APPOINTMENT

    def __init__(self, term: str, begins: Moment) -> None:
        super().__init__(
            Sentence(
                "Your enrollment appointment for %(term)s begins on %(begins)s.", term=TermName(term), begins=begins
            )
        )


class AppointmentEnded(Refused):
    """The student's enrollment appointment is over, and open enrollment hasn't begun: `opens` says when it will."""

    code = "appointment_ended"
    meaning = "Your enrollment appointment has ended."
    is_recorded = True
    history_reason = Sentence("your enrollment appointment had ended")
    override = Override.APPOINTMENT

    def __init__(self, term: str, ended: Moment | LastDay, opens: Moment | None) -> None:
        name = TermName(term)
        message = [
            Sentence("Your enrollment appointment for %(term)s ended at the end of %(day)s.", term=name, day=ended)
            if isinstance(ended, LastDay)
            else Sentence("Your enrollment appointment for %(term)s ended on %(ended)s.", term=name, ended=ended)
        ]
        if opens:
            message.append(Sentence("Open enrollment begins on %(opens)s.", opens=opens))
        super().__init__(join_sentences(message))


class NoAppointment(Refused):
    """Only students with an enrollment appointment may enroll until open enrollment begins."""

    code = "no_appointment"
    meaning = "You have no enrollment appointment, and open enrollment has not begun yet."
    is_recorded = True
    history_reason = Sentence("open enrollment hadn’t begun yet")
    override = Override.APPOINTMENT

    def __init__(self, term: str, opens: Moment) -> None:
        super().__init__(
            Sentence(
                "You have no enrollment appointment for %(term)s. Open enrollment begins on %(opens)s.",
                term=TermName(term),
                opens=opens,
            )
        )


class OnHold(Refused):
    """An office blocks the change with a hold. No override sets it aside: the office lifts it."""

    code = "hold"
    meaning = "A hold blocks it; the office that placed it can lift it."
    is_recorded = True
    history_reason = Sentence("you had a hold")

    def __init__(self, hold: Hold) -> None:
        super().__init__(
            Sentence(
                "There is a hold on your account (%(office)s): “%(reason)s”. To have it lifted, contact %(contact)s.",
                office=hold.office,
                reason=hold.reason,
                contact=hold.contact,
            )
        )


class NotActive(Refused):
    """The student is on leave, has graduated or has left. No override sets it aside: the registrar sets the status."""

    code = "not_active"
    meaning = "The student’s status is not active; the registrar can change it."
    is_recorded = True
    history_reason = Sentence("you weren’t an active student")

    def __init__(self, status: StudentStatus) -> None:
        super().__init__(
            Sentence(
                "Your student status is “%(status)s”. Only active students can enroll or join waitlists. If you’re "
                "studying this term, ask the registrar to change your status.",
                status=status.label,
            )
        )


class WithdrawalDeadlinePassed(Refused):
    code = "drop_closed"
    meaning = "The deadline to drop the course has passed."
    is_recorded = True
    history_reason = Sentence("the deadline to withdraw had passed")
    override = Override.CLOSED_TERM

    def __init__(self, title: str, closed: Moment | LastDay) -> None:
        if isinstance(closed, LastDay):
            message = Sentence(
                "The last day to withdraw from %(title)s was %(day)s. Contact the registrar.",
                title=title,
                day=closed,
            )
        else:
            message = Sentence(
                "The deadline to withdraw from %(title)s was %(closed)s. Contact the registrar.",
                title=title,
                closed=closed,
            )
        super().__init__(message)


class DropDeadlinePassed(Refused):
    """Staff want to drop a course without a trace, but the deadline for that has passed."""

    code = "only_withdrawal"
    meaning = "The deadline to drop the course has passed; it can only be withdrawn from."
    override = Override.CLOSED_TERM

    def __init__(self, title: str, closed: Moment | LastDay) -> None:
        if isinstance(closed, LastDay):
            message = Sentence("The last day to drop %(title)s was %(day)s.", title=title, day=closed)
        else:
            message = Sentence("The deadline to drop %(title)s was %(closed)s.", title=title, closed=closed)
        super().__init__(message)


class AlreadyEnrolled(Refused):
    code = "already_enrolled"
    meaning = "You are already enrolled in the course, in another section."
    severity = "warning"
    history_reason = Sentence("you were already enrolled")

    def __init__(self, title: str, term: str) -> None:
        super().__init__(
            Sentence("You’re already enrolled in %(title)s for %(term)s.", title=title, term=TermName(term))
        )
        self.term = term


class AlreadyWaiting(Refused):
    code = "already_waiting"
    meaning = "You are already on the course's waitlist."
    severity = "warning"
    history_reason = Sentence("you were already on a waitlist")

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence("You’re already on the waitlist for %(title)s, section %(section)s.", title=title, section=section)
        )


class NotEnrolled(Refused):
    code = "not_enrolled"
    meaning = "You are not enrolled in the course to drop."
    severity = "info"
    history_reason = Sentence("you weren’t enrolled in the course to drop")

    def __init__(self, title: str, term: str = "") -> None:
        if term:
            message = Sentence(
                "You’re not enrolled in %(title)s for %(term)s. No changes were made.", title=title, term=TermName(term)
            )
        else:
            message = Sentence("You’re not enrolled in %(title)s. No changes were made.", title=title)
        super().__init__(message)
        self.term = term


class EnrollmentOver(NotEnrolled):
    """The student has the course only in terms whose deadline to drop has passed."""

    code = "enrollment_over"
    meaning = "You have the course only in terms whose deadline to drop has passed."

    def __init__(self, title: str) -> None:
        Refused.__init__(
            self, Sentence("The deadline to drop %(title)s has passed. No changes were made.", title=title)
        )
        self.term = ""


class NotWaiting(Refused):
    code = "not_waiting"
    meaning = "You are not on the course's waitlist."
    severity = "info"
    history_reason = Sentence("you weren’t on the waitlist")

    def __init__(self, title: str, term: str = "") -> None:
        if term:
            message = Sentence(
                "You’re not on the waitlist for %(title)s in %(term)s. No changes were made.",
                title=title,
                term=TermName(term),
            )
        else:
            message = Sentence("You’re not on the waitlist for %(title)s. No changes were made.", title=title)
        super().__init__(message)


class WaitlistClosed(NotWaiting):
    """The student is on waitlists for the course only in terms whose deadline to drop has passed."""

    code = "waitlist_over"
    meaning = "You are on the course's waitlist only in terms whose deadline to drop has passed."

    def __init__(self, title: str) -> None:
        Refused.__init__(self, Sentence("The waitlist for %(title)s has closed. No changes were made.", title=title))


def alternatives(sections: Sequence[str]) -> Sentence:
    """Return the sentence about other sections of a course that a student could take."""
    return plural(
        "Section %(others)s has open seats and fits your schedule.",
        "Sections %(others)s have open seats and fit your schedule.",
        len(sections),
        others=tuple(sections),
    )


class SectionFull(Refused):
    """No seat is open; `others` are the numbers of other sections with an open seat that fit the schedule."""

    code = "section_full"
    meaning = "The section is full."
    severity = "warning"
    is_recorded = True
    history_reason = Sentence("the section was full")
    override = Override.FULL

    reason: ClassVar = Sentence("%(title)s, section %(section)s, is full.")

    def __init__(self, title: str, section: str, *, can_wait: bool = False, others: Sequence[str] = ()) -> None:
        message = [Sentence(self.reason.message, title=title, section=section)]
        if others:
            message.append(alternatives(others))
        if can_wait:
            message.append(Sentence("You can join the waitlist."))
        super().__init__(join_sentences(message))
        self.others = others


class SeatsReserved(SectionFull):
    """Seats are left, but pools reserve all of them for other students."""

    code = "seats_reserved"
    meaning = "The remaining seats are reserved for other students."
    history_reason = Sentence("the remaining seats were reserved for other students")
    override = Override.RESERVED_SEATS
    reason = Sentence("The remaining seats in %(title)s, section %(section)s, are reserved for other students.")


class SectionClosed(Refused):
    """The registrar has closed the section to new students, even if it has an open seat."""

    code = "section_closed"
    meaning = "The section is closed to new students."
    severity = "warning"
    is_recorded = True
    history_reason = Sentence("the section was closed")
    override = Override.SECTION_CLOSED

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence("%(title)s, section %(section)s, is closed to new students.", title=title, section=section)
        )


class SectionExists(Refused):
    """The number names a section of the course in the term, perhaps one that was canceled."""

    code = "section_exists"
    meaning = "The course has or had a section with this number in the term."

    def __init__(self, title: str, section: str, term: str) -> None:
        super().__init__(
            Sentence(
                "%(title)s already has or had a section %(section)s in %(term)s. Choose another number.",
                title=title,
                section=section,
                term=TermName(term),
            )
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two editors left with different values, as text."""

    field: str
    yours: str
    current: str


class SectionEditConflict(Refused):
    """Someone else has changed the section since the editor read it; `current` is how it is stored now.

    For programs, `differences` are those between what they sent and what is stored.
    """

    code = "edit_conflict"
    meaning = (
        "Someone else has changed this since you read it; `differences` compares your values with the stored ones."
    )
    severity = "warning"

    def __init__(self, current: Section, differences: Sequence[Difference] = ()) -> None:
        super().__init__(Sentence("Someone else has changed this section in the meantime. Nothing was saved."))
        self.current = current
        self.differences = differences


class TermEnded(Refused):
    """Students' records of a past term can't be changed."""

    code = "term_over"
    meaning = "The term is over, so its sections can't be canceled."

    def __init__(self, term: str) -> None:
        super().__init__(Sentence("%(term)s is over, so its sections can’t be canceled.", term=TermName(term)))


class CensusDatePassed(Refused):
    """After the census date, no-shows stay on record: they withdraw, or the registrar drops them."""

    code = "census_over"
    meaning = "The census date has passed, so students who didn't come can't be dropped as no-shows."

    def __init__(self, term: str) -> None:
        super().__init__(
            Sentence(
                "The last day to drop no-shows for %(term)s has passed.",
                term=TermName(term),
            )
        )


class WaitlistFull(Refused):
    code = "waitlist_full"
    meaning = "The section and its waitlist are full."
    is_recorded = True
    history_reason = Sentence("the waitlist was full")
    override = Override.FULL

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence("The waitlist for %(title)s, section %(section)s, is full.", title=title, section=section)
        )


class TimeConflict(Refused):
    """`conflicts` are the titles of all conflicting courses, each with the times of the conflict."""

    code = "time_conflict"
    meaning = "It conflicts with one of your courses."
    is_recorded = True
    history_reason = Sentence("it conflicted with another of your courses")
    override = Override.TIME_CONFLICT

    def __init__(self, title: str, conflicts: Sequence[tuple[str, Sentence]]) -> None:
        super().__init__(
            join_sentences(
                [
                    Sentence("%(title)s conflicts with %(other)s: %(when)s.", title=title, other=other, when=when)
                    for other, when in conflicts
                ]
            )
        )


class CreditLimit(Refused):
    code = "credit_limit"
    meaning = "It would exceed the credit limit."
    is_recorded = True
    history_reason = Sentence("it would have put you over the credit limit")
    override = Override.CREDIT_LIMIT

    def __init__(self, title: str, *, adds: float, has: float, limit: float) -> None:
        super().__init__(
            Sentence(
                "%(title)s would bring you to %(total)s credits (limit %(limit)s).",
                title=title,
                total=has + adds,
                limit=limit,
            )
        )


class Restricted(Refused):
    """The course or the section, which the name says, doesn't admit the student; `unmet` are the parts that don't."""

    code = "restricted"
    meaning = "The course or the section is restricted to other students."
    is_recorded = True
    history_reason = Sentence("a restriction excluded you")
    override = Override.RESTRICTION

    def __init__(self, name: str | Sentence, unmet: Sequence[Restriction]) -> None:
        super().__init__(
            join_sentences(
                [
                    Sentence("%(name)s isn’t open to you.", name=name),
                    *(one.sentence for one in unmet),
                    Sentence("If your record is wrong or you need an exception, ask the registrar."),
                ]
            )
        )


class RepeatLimit(Refused):
    """The student has taken the course as often as it allows, at the `attempts`."""

    code = "repeat_limit"
    meaning = "You have taken the course as often as it allows."
    is_recorded = True
    history_reason = Sentence("you had taken the course as often as it allows")
    override = Override.REPEAT

    def __init__(self, title: str, limit: int, attempts: NameList) -> None:
        super().__init__(
            join_sentences(
                [
                    plural(
                        "%(title)s can be taken only once.",
                        "%(title)s can be taken at most %(number)s times.",
                        limit,
                        title=title,
                    ),
                    Sentence("It’s already on your record: %(attempts)s.", attempts=attempts),
                    Sentence("If you need another attempt, ask the registrar."),
                ]
            )
        )


class ConsentRequired(Refused):
    """The student hasn't been given the consent that the section needs."""

    code = "consent_required"
    meaning = "The section requires the consent of the instructor or the department, which you don’t have."
    is_recorded = True
    history_reason = Sentence("you didn’t have the required consent")
    override = Override.CONSENT

    def __init__(self, title: str, section: Section) -> None:
        name: Mapping[str, str] = {"title": title, "section": section.section}
        super().__init__(
            Sentence("%(title)s, section %(section)s, requires the department’s consent.", **name)
            if section.consent is Consent.DEPARTMENT
            else Sentence("%(title)s, section %(section)s, requires the instructor’s consent.", **name)
        )


class ConsentNotNeeded(Refused):
    """A student requests consent that the section doesn't require, or that the student has."""

    code = "consent_not_needed"
    meaning = "You don't need consent for the section, or you have it already."
    severity = "info"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence(
                "You can enroll in %(title)s, section %(section)s, without requesting consent.",
                title=title,
                section=section,
            )
        )


class PrerequisiteMissing(Refused):
    """`missing` has the prerequisites that are not met; `names` has them with the titles of courses.

    One of them `needs_grade`: the student has taken it, but its grade isn't recorded yet, and this term asks for it.
    """

    code = "prerequisite_missing"
    meaning = "It has a prerequisite that you have not taken or do not meet."
    is_recorded = True
    history_reason = Sentence("a prerequisite was missing")
    override = Override.REQUISITES

    def __init__(
        self,
        title: str,
        missing: Sequence[Requisite],
        names: Sequence[str | Sentence | NameList],
        *,
        needs_grade: bool = False,
    ) -> None:
        texts = [one for one in names if isinstance(one, str)]
        needed = tuple(texts) if len(texts) == len(names) else NameList(tuple(names))
        leaves = [leaf for one in missing for leaf in leaves_of(one)]
        if all(isinstance(leaf, str | WithGrade) for leaf in leaves):
            sentence = Sentence("%(title)s requires %(missing)s from an earlier term.", title=title, missing=needed)
        else:
            sentence = Sentence("%(title)s requires %(missing)s.", title=title, missing=needed)
        sentences = [sentence]
        if needs_grade:
            sentences.append(Sentence("A course counts once its grade is recorded."))
        if Permission() in leaves:
            sentences.append(Sentence("For permission, ask the instructor."))
        super().__init__(join_sentences(sentences) if len(sentences) > 1 else sentence)
        self.needs_grade = needs_grade
        self.title = title
        self.missing = missing


class CorequisiteMissing(Refused):
    """`missing` are the courseIDs of the corequisites, `names` their titles."""

    code = "corequisite_missing"
    meaning = "It requires the `courses` in the same or an earlier term; `with_corequisites` enrolls in all of them."
    severity = "warning"
    is_recorded = True
    history_reason = Sentence("a corequisite was missing")
    override = Override.REQUISITES

    def __init__(self, title: str, missing: Sequence[str], names: Sequence[str]) -> None:
        super().__init__(
            plural(
                "%(title)s must be taken with %(missing)s. "
                "Enroll in both at once on the course page or from your plan.",
                "%(title)s must be taken with %(missing)s. "
                "Enroll in all of them at once on the course page or from your plan.",
                len(missing),
                title=title,
                missing=tuple(names),
            )
        )
        self.title = title
        self.missing = missing
        self.names = names

    @property
    def details(self) -> Mapping[str, Sequence[str]]:
        return {"courses": self.missing}


class CorequisitesWouldGo(Refused):
    """Dropping a course would drop others that need it, so the student must confirm; `courses` are their courseIDs."""

    code = "corequisites_would_go"
    meaning = "The `courses` require the one that you are dropping; `with_corequisites` drops them all."
    is_recorded = True
    history_reason = Sentence("another of your courses required the one to drop")
    override = Override.REQUISITES

    def __init__(self, title: str, others: Sequence[str], courses: Sequence[str]) -> None:
        super().__init__(
            plural(
                "%(others)s can’t be taken without %(title)s, so it would be dropped too.",
                "%(others)s can’t be taken without %(title)s, so they would be dropped too.",
                len(others),
                others=tuple(others),
                title=title,
            )
        )
        self.courses = courses

    @property
    def details(self) -> Mapping[str, Sequence[str]]:
        return {"courses": self.courses}


class SeatOpen(Refused):
    """An alert makes no sense while a seat is open."""

    code = "seat_open"
    meaning = "A seat is open, so there is nothing to alert you to."
    severity = "info"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence(
                "%(title)s, section %(section)s, has an open seat. You can enroll now.", title=title, section=section
            )
        )


class TooManyAlerts(Refused):
    code = "too_many_alerts"
    meaning = "You have as many seat alerts as an account may have."
    severity = "warning"

    def __init__(self, limit: int) -> None:
        super().__init__(Sentence("You already have %(most)s seat alerts. Remove one first.", most=limit))


class PlanFull(Refused):
    code = "plan_full"
    meaning = "Your plan for the term has as many courses as a plan may have."
    severity = "warning"

    def __init__(self, term: str, limit: int) -> None:
        super().__init__(
            Sentence(
                "Your plan for %(term)s already has %(most)s courses. Remove one first.",
                term=TermName(term),
                most=limit,
            )
        )


class NotPlanned(Refused):
    code = "not_planned"
    meaning = "The course is not in your plan."
    severity = "info"

    def __init__(self, title: str | Sentence, term: str = "") -> None:
        if term:
            message = Sentence(
                "%(title)s isn’t in your plan for %(term)s. No changes were made.", title=title, term=TermName(term)
            )
        else:
            message = Sentence("%(title)s isn’t in your plan. No changes were made.", title=title)
        super().__init__(message)


class PlanChanged(Refused):
    code = "plan_changed"
    meaning = "Your plan has changed since you opened the page."
    severity = "warning"

    def __init__(self, term: str) -> None:
        message = Sentence(
            "Your plan for %(term)s has changed since you opened that page. No changes were made. "
            "Build your week again.",
            term=TermName(term),
        )
        super().__init__(message)


class PlanNameTaken(Refused):
    code = "plan_name_taken"
    meaning = "You already have a plan with this name for the term."

    def __init__(self, name: str) -> None:
        super().__init__(Sentence("You already have a plan named %(name)s. Choose another name.", name=name))


class TooManyPlans(Refused):
    code = "too_many_plans"
    meaning = "You already have the maximum number of plans for the term."

    def __init__(self, term: str, limit: int) -> None:
        super().__init__(
            Sentence(
                "You already have %(most)s plans for %(term)s, which is the limit. Delete one first.",
                most=limit,
                term=TermName(term),
            )
        )


class NoSuchPlan(Refused):
    code = "no_such_plan"
    meaning = "You have no other plan with this name for the term."
    severity = "info"

    def __init__(self, term: str) -> None:
        super().__init__(
            Sentence("You no longer have this plan for %(term)s. No changes were made.", term=TermName(term))
        )


class OtherPlanInUse(Refused):
    code = "other_plan_in_use"
    meaning = "You have switched to another plan since you opened the page."
    severity = "warning"

    def __init__(self, term: str) -> None:
        super().__init__(
            Sentence(
                "You’ve switched to another plan for %(term)s since you opened that page. No changes were made.",
                term=TermName(term),
            )
        )


class EmailTaken(Refused):
    code = "email_taken"
    meaning = "There is already an account with this email."

    def __init__(self) -> None:
        super().__init__(Sentence("An account with this email already exists. Sign in or use another email."))


class WrongCredentials(Refused):
    """The message is the same for an unknown email and a wrong password, so that it reveals nothing."""

    status = 401
    code = "wrong_credentials"
    meaning = "Incorrect email or password."

    def __init__(self) -> None:
        super().__init__(Sentence("Incorrect email or password. Try again."))


class PasswordRefused(Refused):
    """A new password is too easy to guess; existing passwords still work."""

    code = "password_refused"
    meaning = "The password is too easy to guess."


class WrongPassword(Refused):
    """A signed-in user was asked to enter the password again, and it was wrong."""

    code = "wrong_password"
    meaning = "The password is incorrect."

    def __init__(self) -> None:
        super().__init__(Sentence("Incorrect password. Try again."))


class LastRegistrar(Refused):
    code = "last_registrar"
    meaning = "The account belongs to the only registrar."

    def __init__(self) -> None:
        super().__init__(Sentence("You’re the only registrar. Appoint another registrar before deleting your account."))


class EmailUnconfirmed(Refused):
    code = "email_unconfirmed"
    meaning = "The owner of the account has not confirmed the email, so the account can’t get a staff role."

    def __init__(self) -> None:
        super().__init__(
            Sentence("The email of this account isn’t confirmed yet. Its owner must first open the link that we sent.")
        )


class NotAnAdvisor(Refused):
    status = 422
    code = "not_an_advisor"
    meaning = "A person named as an advisor has no account, or does not have that role."

    def __init__(self, name: str) -> None:
        super().__init__(Sentence("%(name)s isn’t an advisor. Enter the email or ID of an advisor.", name=name))


class EditConflict(Refused):
    code = "changed_meanwhile"
    meaning = "Someone else has changed it since it was read."

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                "Someone else has changed this in the meantime. Nothing was saved. Check the changes, then save again."
            )
        )


class AccountGone(Refused):
    """The account was deleted during the request."""

    code = "account_gone"
    meaning = "The account has been deleted."

    def __init__(self) -> None:
        super().__init__(Sentence("This account has been deleted. No changes were made."))


class OwnPermit(Refused):
    """Nobody sets rules aside for themselves."""

    code = "own_permit"
    meaning = "You can't grant yourself a permit."

    def __init__(self) -> None:
        super().__init__(Sentence("You can’t grant yourself a permit. Ask someone else who can grant one."))


class UnknownPermissionNumber(Refused):
    code = "unknown_permission_number"
    meaning = "The course has no such permission number in the term."

    def __init__(self) -> None:
        super().__init__(Sentence("This isn’t a permission number for this course. Check each character."))


class PermissionNumberUsed(Refused):
    code = "permission_number_used"
    meaning = "Another student has used the permission number."

    def __init__(self) -> None:
        super().__init__(Sentence("Someone else has used this permission number. Ask your instructor for a new one."))


class PermissionNumberRevoked(Refused):
    code = "permission_number_revoked"
    meaning = "The permission number was revoked."

    def __init__(self) -> None:
        super().__init__(Sentence("This permission number was revoked. Ask your instructor for a new one."))


class PermissionNumberExpired(Refused):
    code = "permission_number_expired"
    meaning = "The permission number has expired."

    def __init__(self) -> None:
        super().__init__(Sentence("This permission number has expired. Ask your instructor for a new one."))


class RegistrarsPermit(Refused):
    code = "registrars_permit"
    meaning = "A registrar granted the permit, and only registrars can revoke it."

    def __init__(self) -> None:
        super().__init__(Sentence("A registrar granted this permit. Only registrars can revoke it."))


class RemovalDecided(Refused):
    """Someone else has decided about the request to remove the account, or it was withdrawn."""

    code = "removal_decided"
    meaning = "The request to remove the account no longer exists."

    def __init__(self) -> None:
        super().__init__(Sentence("This request has already been decided or withdrawn. No changes were made."))


class SignInEnded(Refused):
    """The sign-in ended during the request."""

    code = "sign_in_ended"
    meaning = "The sign-in has ended."

    def __init__(self) -> None:
        super().__init__(Sentence("You’ve been signed out. No changes were made. Sign in again."))


class OnlyViewing(Refused):
    """Staff are viewing the site as a student, and tried to change something."""

    status = 403
    code = "only_viewing"
    meaning = "In this browser you are viewing the site as a student; nothing can be changed until you stop."
    heading = Sentence("You’re viewing as a student")

    def __init__(self, name: str) -> None:
        super().__init__(
            Sentence(
                "You’re viewing the site as %(name)s, so you can’t change anything. No changes were made. Stop "
                "viewing first.",
                name=name,
            )
        )


class HiddenFromViewers(Refused):
    """Staff are viewing the site as a student, and opened something that concerns only the student."""

    status = 403
    code = "hidden_from_viewers"
    meaning = "In this browser you are viewing the site as a student, and only the student can open this."
    heading = Sentence("Only for the student")

    def __init__(self, name: str) -> None:
        super().__init__(
            Sentence(
                "You’re viewing the site as %(name)s. Only the student can open pages about passwords, sign-ins, "
                "tokens and downloads.",
                name=name,
            )
        )


class ViewEnded(Refused):
    """Staff were viewing the site as a student, but the time is up, or they may no longer do so."""

    code = "view_ended"
    meaning = "You are no longer viewing the site as a student; the page was the student’s."
    severity = "info"

    def __init__(self) -> None:
        super().__init__(Sentence("You’re no longer viewing the site as a student. No changes were made."))


class LinkDead(Refused):
    code = "link_dead"
    meaning = "The link has been used or has expired."

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                "This link has already been used or has expired. If you’ve chosen a new password, sign in with it. "
                "If not, request a new link."
            )
        )


class ConfirmationDead(Refused):
    """The confirmation link is forged, too old, or was sent to a previous email of the account."""

    code = "confirmation_dead"
    meaning = "The confirmation link is not valid or has expired."

    def __init__(self) -> None:
        super().__init__(
            Sentence("This link is invalid or has expired. You can request a new one on your account page.")
        )


class UnsubscribeLinkDead(Refused):
    """The link that turns off emails is forged, or was sent to a previous email of the account."""

    code = "unsubscribe_link_dead"
    meaning = "The link that turns off emails is not valid."

    def __init__(self) -> None:
        super().__init__(
            Sentence("This link is no longer valid. You can choose which emails you get on your account page.")
        )


class EmailChangeOver(Refused):
    """The link to an email change is forged or expired, or the change was completed, canceled or replaced."""

    code = "email_change_over"
    meaning = "The link that confirms an email change is no longer valid."

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                "This link is no longer valid. It may have expired, or the email change may have been completed or "
                "canceled. Your account page shows your current email."
            )
        )


class PleaseWait(Refused):
    """There were too many attempts. The message doesn't reveal whether an account exists."""

    status = 429
    code = "please_wait"
    meaning = "Too many attempts; try again after `Retry-After` seconds."

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, ceil(wait.total_seconds()))
        minutes = ceil(self.retry_after / 60)
        super().__init__(
            plural(
                "Too many attempts. Wait a minute, then try again.",
                "Too many attempts. Wait %(number)s minutes, then try again.",
                minutes,
            )
        )


class TooManyChanges(Refused):
    """The account has made more changes than its rate limit allows."""

    status = 429
    code = "too_many_changes"
    meaning = "Too many changes in a short time; try again after `Retry-After` seconds."

    def __init__(self, wait: float) -> None:
        super().__init__(Sentence("You’ve made too many changes in a short time. This one wasn’t saved."))
        self.retry_after = max(1, ceil(wait))


class TokenNameTaken(Refused):
    code = "token_name_taken"
    meaning = "You already have a token with this name."

    def __init__(self, name: str) -> None:
        super().__init__(
            Sentence(
                "You already have a token named %(name)s. Choose another name or revoke that token first.", name=name
            )
        )


class TooManyTokens(Refused):
    code = "too_many_tokens"
    meaning = "You have as many tokens as an account may have."

    def __init__(self, limit: int) -> None:
        super().__init__(
            Sentence("You already have %(most)s tokens, which is the limit. Revoke one you no longer use.", most=limit)
        )


class SharedLinkExists(Refused):
    code = "shared_link_exists"
    meaning = "You already share this with a link that has the same name."

    def __init__(self, label: str) -> None:
        super().__init__(
            Sentence(
                "You already share this with a link named %(label)s. Choose another name, or revoke that link first.",
                label=label,
            )
            if label
            else Sentence(
                "You already share this with an unnamed link. Give the new one a name so you can tell them apart."
            )
        )


class TooManySharedLinks(Refused):
    code = "too_many_shared_links"
    meaning = "You already have the maximum number of shared links for the term."

    def __init__(self, term: str, limit: int) -> None:
        super().__init__(
            Sentence(
                "You already have %(most)s links for %(term)s, which is the limit. Revoke one you no longer need.",
                most=limit,
                term=TermName(term),
            )
        )


class WrongToken(Refused):
    """The message is the same whether the token is unknown, revoked or expired."""

    status = 401
    code = "wrong_token"
    meaning = "The token is unknown, expired or revoked."

    def __init__(self) -> None:
        super().__init__(Sentence("This token is unknown or no longer valid. You can create another one on the site."))


class ReadOnlyToken(Refused):
    status = 403
    code = "read_only_token"
    meaning = "The token is read-only, and the request is a change."

    def __init__(self) -> None:
        super().__init__(Sentence("This token is read-only. No changes were made."))


class WrongScope(Refused):
    """The token is valid, but not for this part of the API."""

    status = 403
    code = "wrong_scope"
    meaning = "The scope of the token does not include this; create a token with another one."

    def __init__(self) -> None:
        super().__init__(
            Sentence("This token’s scope doesn’t allow this. No changes were made. Use a token with another scope.")
        )


class PasswordNeeded(Refused):
    """Staff who are signed in have not entered their password for a while."""

    status = 403
    code = "password_needed"
    meaning = "For a change as staff, the password was entered too long ago in this browser; send a token instead."

    def __init__(self) -> None:
        super().__init__(Sentence("Enter your password again on a staff page, then try again. No changes were made."))


class PasswordOverHttp(Refused):
    status = 403
    code = "password_over_http"
    meaning = "A password was sent without HTTPS."

    def __init__(self) -> None:
        super().__init__(
            Sentence("Passwords are only accepted over HTTPS. Change yours now, because others may have read it.")
        )


class WrongFields(Refused):
    """A request has wrong fields; `fields` has a sentence for each of them."""

    status = 422
    code = "wrong_fields"
    meaning = "Some fields are invalid; `errors` explains each of them."

    def __init__(self, fields: Mapping[str, str]) -> None:
        wrong = [Sentence(f"{name}: {reason}") for name, reason in fields.items()]
        super().__init__(join_sentences([Sentence("No changes were made."), *wrong]))
        self.fields = fields


class KeyReused(Refused):
    status = 422
    code = "key_reused"
    meaning = "The Idempotency-Key was used for a different request."

    def __init__(self) -> None:
        super().__init__(
            Sentence("This Idempotency-Key was already used for a different request. No changes were made.")
        )


class InProgress(Refused):
    """The same request is still being processed."""

    code = "in_progress"
    meaning = "The first request with this key is still in progress; try again after `Retry-After` seconds."

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            Sentence("The first request with this Idempotency-Key is still in progress. Try again in a moment.")
        )
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A reason why a row of a file can't be imported; `number` is the row's place in the file, from 1.

    `field` is the wrong field, if there is one, and `first` the place of an earlier row with the same value.
    """

    number: int
    sentence: Sentence
    field: str = ""
    first: int | None = None


class Busy(Exception):
    """More people are waiting than the server can serve in time. Nothing was done; `retry_after` is in seconds.

    It is no refusal: the rules may well say yes in a moment.
    """

    status: ClassVar[int] = 503
    code: ClassVar[str] = "busy"
    meaning: ClassVar[str] = (
        "Too many people wait for that; nothing was changed. Ask again after `Retry-After` seconds."
    )
    message: ClassVar[Sentence] = Sentence("Many people are signing in right now. Nothing has been lost.")

    def __init__(self, retry_after: int) -> None:
        super().__init__(str(self.message))
        self.retry_after = retry_after

    @property
    def text(self) -> str:
        """Return the message in the reader's language."""
        return str(self.message)


class Crowded(Busy):
    """More changes of seats are waiting than can be made in time."""

    message = Sentence("Many people are enrolling right now. No changes were made.")


def all_refusals() -> Iterator[type[Refused]]:
    """Yield every kind of refusal."""
    kinds = [Refused]
    while kinds:
        kinds = [kind for parent in kinds for kind in parent.__subclasses__()]
        yield from kinds
