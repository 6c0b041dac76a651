"""Reasons to refuse, each with its own sentence for people and a stable code for programs."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil

from quart_enroll.i18n.language import LastDay, Moment, Sentence, TermName, plural, together

MAX_CHOICES = 10
"""Courses that a sentence lists at most."""


class Refused(Exception):
    """The rules say no; `sentence` tells a person why in their language, `code` tells a program.

    `why` is the sentence in no language yet, for who reads it later.
    """

    code = "refused"

    def __init__(self, why: Sentence) -> None:
        super().__init__(str(why))
        self.why = why

    @property
    def sentence(self) -> str:
        """The sentence in the language of who asks."""
        return str(self.why)


class UnknownCourse(Refused):
    code = "unknown_course"

    def __init__(self, courseID: str) -> None:
        super().__init__(Sentence("There is no course %(courseID)s in the catalog.", courseID=courseID))


class AmbiguousCourse(Refused):
    """The number may mean several courses, given as their titles by courseID."""

    code = "ambiguous_course"

    def __init__(self, text: str, courses: Mapping[str, str]) -> None:
        names = [f"{courseID} ({title})" for courseID, title in courses.items()]
        super().__init__(
            Sentence(
                "“%(text)s” could mean several courses: %(names)s. Enter the number of the one you want.",
                text=text,
                names=tuple(names[:MAX_CHOICES]),
            )
        )
        self.courses = list(courses)


class UnknownTerm(Refused):
    """The text names no term of the catalog; `known` lists the names that would do."""

    code = "unknown_term"

    def __init__(self, text: str, known: Sequence[str]) -> None:
        super().__init__(Sentence("There is no term “%(text)s” in the catalog.", text=text))
        self.known = known


class NoTerms(UnknownTerm):
    """Nothing can be taken or given back before the registrar has imported a term."""

    code = "no_terms"

    def __init__(self) -> None:
        Refused.__init__(self, Sentence("The school has no terms yet."))
        self.known = []


class TermNeeded(Refused):
    """The student has the course in several terms; one of them must be named."""

    code = "term_needed"

    def __init__(self, title: str, terms: Sequence[str]) -> None:
        super().__init__(
            Sentence(
                "%(title)s is on your schedule for %(terms)s. Say for which term. Nothing was changed.",
                title=title,
                terms=tuple(TermName(term) for term in terms),
            )
        )


class NotTaught(Refused):
    code = "not_taught"

    def __init__(self, title: str, term: str = "") -> None:
        if term:
            why = Sentence("%(title)s is not taught in %(term)s.", title=title, term=TermName(term))
        else:
            why = Sentence("%(title)s is not taught in the coming terms.", title=title)
        super().__init__(why)


class UnknownSection(Refused):
    code = "unknown_section"

    def __init__(self, title: str, section: str, term: str) -> None:
        super().__init__(
            Sentence(
                "%(title)s has no section %(section)s in %(term)s.", title=title, section=section, term=TermName(term)
            )
        )


class NotOpenYet(Refused):
    """Adding has not begun; `opens` says when, by the school's clock."""

    code = "not_open_yet"

    def __init__(self, term: str, opens: Moment) -> None:
        super().__init__(Sentence("Enrollment for %(term)s opens on %(opens)s.", term=TermName(term), opens=opens))


class Closed(Refused):
    code = "closed"

    def __init__(self, term: str, closed: Moment | LastDay) -> None:
        if isinstance(closed, LastDay):
            why = Sentence(
                "Enrollment for %(term)s was open until the end of %(day)s.", term=TermName(term), day=closed
            )
        else:
            why = Sentence("Enrollment for %(term)s closed on %(closed)s.", term=TermName(term), closed=closed)
        super().__init__(why)


class DropClosed(Refused):
    code = "drop_closed"

    def __init__(self, title: str, closed: Moment | LastDay) -> None:
        if isinstance(closed, LastDay):
            why = Sentence(
                "The last day to withdraw from %(title)s was %(day)s. Please ask the registrar.",
                title=title,
                day=closed,
            )
        else:
            why = Sentence(
                "%(title)s could be given back until %(closed)s. Please ask the registrar.", title=title, closed=closed
            )
        super().__init__(why)


class AlreadyEnrolled(Refused):
    code = "already_enrolled"

    def __init__(self, title: str, term: str) -> None:
        super().__init__(
            Sentence("You are already enrolled in %(title)s for %(term)s.", title=title, term=TermName(term))
        )
        self.term = term


class AlreadyWaiting(Refused):
    code = "already_waiting"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence(
                "You are already waiting for a seat in %(title)s, section %(section)s.", title=title, section=section
            )
        )


class NotEnrolled(Refused):
    code = "not_enrolled"

    def __init__(self, title: str, term: str = "") -> None:
        if term:
            why = Sentence(
                "You are not enrolled in %(title)s for %(term)s. Nothing was changed.", title=title, term=TermName(term)
            )
        else:
            why = Sentence("You are not enrolled in %(title)s. Nothing was changed.", title=title)
        super().__init__(why)
        self.term = term


class EnrollmentOver(NotEnrolled):
    """The student has the course only in terms whose deadline to drop has passed."""

    def __init__(self, title: str) -> None:
        Refused.__init__(self, Sentence("The deadline to drop %(title)s has passed. Nothing was changed.", title=title))
        self.term = ""


class NotWaiting(Refused):
    code = "not_waiting"

    def __init__(self, title: str, term: str = "") -> None:
        if term:
            why = Sentence(
                "You are not waiting for %(title)s in %(term)s. Nothing was changed.", title=title, term=TermName(term)
            )
        else:
            why = Sentence("You are not waiting for %(title)s. Nothing was changed.", title=title)
        super().__init__(why)


class WaitlistOver(NotWaiting):
    """The student is on waitlists for the course only in terms whose deadline to drop has passed."""

    def __init__(self, title: str) -> None:
        Refused.__init__(self, Sentence("The waitlist for %(title)s has closed. Nothing was changed.", title=title))


class SectionFull(Refused):
    """No seat is open; `others` are the numbers of sections of the course with a seat that fits the schedule."""

    code = "section_full"

    def __init__(self, title: str, section: str, *, can_wait: bool = False, others: Sequence[str] = ()) -> None:
        why = [Sentence("%(title)s, section %(section)s, is full.", title=title, section=section)]
        if others:
            why.append(
                plural(
                    "Section %(others)s has seats that fit your schedule.",
                    "Sections %(others)s have seats that fit your schedule.",
                    len(others),
                    others=tuple(others),
                )
            )
        if can_wait:
            why.append(Sentence("You can join the waitlist."))
        super().__init__(together(why))
        self.others = others


class WaitlistFull(Refused):
    code = "waitlist_full"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence("The waitlist of %(title)s, section %(section)s, is full.", title=title, section=section)
        )


class TimeConflict(Refused):
    """`clashes` are the titles of all courses that are in the way, each with when it is."""

    code = "time_conflict"

    def __init__(self, title: str, clashes: Sequence[tuple[str, Sentence]]) -> None:
        super().__init__(
            together(
                [
                    Sentence(
                        "%(title)s meets at the same time as %(other)s: %(when)s.", title=title, other=other, when=when
                    )
                    for other, when in clashes
                ]
            )
        )


class CreditLimit(Refused):
    code = "credit_limit"

    def __init__(self, title: str, *, adds: float, has: float, limit: float) -> None:
        super().__init__(
            Sentence(
                "%(title)s has %(adds)s credits, and you have %(has)s already; the limit is %(limit)s.",
                title=title,
                adds=adds,
                has=has,
                limit=limit,
            )
        )


class PrerequisiteMissing(Refused):
    """`missing` are courseIDs, `names` what to call them."""

    code = "prerequisite_missing"

    def __init__(self, title: str, missing: Sequence[str], names: Sequence[str]) -> None:
        super().__init__(
            Sentence("%(title)s needs %(missing)s from an earlier term.", title=title, missing=tuple(names))
        )
        self.title = title
        self.missing = missing


class CorequisiteMissing(Refused):
    """`missing` are the courseIDs that must be taken in the same term or an earlier one, `names` what to call them."""

    code = "corequisite_missing"

    def __init__(self, title: str, missing: Sequence[str], names: Sequence[str]) -> None:
        super().__init__(
            plural(
                "%(title)s must be taken together with %(missing)s. "
                "You can enroll in both at once, on its page or from your plan.",
                "%(title)s must be taken together with %(missing)s. "
                "You can enroll in all of them at once, on its page or from your plan.",
                len(missing),
                title=title,
                missing=tuple(names),
            )
        )
        self.title = title
        self.missing = missing
        self.names = names


class CorequisitesWouldGo(Refused):
    """Giving back a course would take others along; `courses` are their courseIDs. It waits for a yes."""

    code = "corequisites_would_go"

    def __init__(self, title: str, others: Sequence[str], courses: Sequence[str]) -> None:
        super().__init__(
            plural(
                "%(others)s can’t be taken without %(title)s, and would be given back with it.",
                "%(others)s can’t be taken without %(title)s, and would be given back with it.",
                len(others),
                others=tuple(others),
                title=title,
            )
        )
        self.courses = courses


class SeatOpen(Refused):
    """There is nothing to be told of later: a seat is open now."""

    code = "seat_open"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(
            Sentence(
                "%(title)s, section %(section)s, has an open seat: you can take it now.", title=title, section=section
            )
        )


class TooManyAlerts(Refused):
    code = "too_many_alerts"

    def __init__(self, most: int) -> None:
        super().__init__(
            Sentence("You asked to be told of seats in %(most)s sections already. End one of those first.", most=most)
        )


class PlanFull(Refused):
    code = "plan_full"

    def __init__(self, term: str, most: int) -> None:
        super().__init__(
            Sentence(
                "Your plan for %(term)s has %(most)s courses already. Remove one first.", term=TermName(term), most=most
            )
        )


class NotPlanned(Refused):
    code = "not_planned"

    def __init__(self, title: str, term: str = "") -> None:
        if term:
            why = Sentence(
                "%(title)s is not in your plan for %(term)s. Nothing was changed.", title=title, term=TermName(term)
            )
        else:
            why = Sentence("%(title)s is not in your plan. Nothing was changed.", title=title)
        super().__init__(why)


class EmailTaken(Refused):
    code = "email_taken"

    def __init__(self) -> None:
        super().__init__(Sentence("There is already an account with this address. Sign in, or use another address."))


class WrongCredentials(Refused):
    """The same words for an unknown address and a wrong password: a stranger learns nothing."""

    code = "wrong_credentials"

    def __init__(self) -> None:
        super().__init__(Sentence("The email address or the password is not right. Please try again."))


class PasswordRefused(Refused):
    """A password that nobody should choose; whoever uses one already may go on."""

    code = "password_refused"


class WrongPassword(Refused):
    """Who is signed in was asked for the password, and this is another one."""

    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__(Sentence("That is not your password."))


class LastRegistrar(Refused):
    code = "last_registrar"

    def __init__(self) -> None:
        super().__init__(
            Sentence("You are the only registrar. Somebody else must become one before your account can go.")
        )


class AccountGone(Refused):
    """The account was removed while one of its requests was on the way."""

    code = "account_gone"

    def __init__(self) -> None:
        super().__init__(Sentence("This account is deleted. Nothing was changed."))


class SignInEnded(Refused):
    """The sign-in was ended while one of its requests was on the way."""

    code = "sign_in_ended"

    def __init__(self) -> None:
        super().__init__(Sentence("This sign-in has ended. Nothing was changed. Please sign in again."))


class LinkDead(Refused):
    code = "link_dead"

    def __init__(self) -> None:
        super().__init__(
            Sentence(
                "This link was used already, or it is older than an hour. "
                "If you have chosen a new password, sign in with it; if not, ask for another link."
            )
        )


class ConfirmationDead(Refused):
    """The confirmation link was made up, is too old, or was sent to an earlier address of the account."""

    code = "link_dead"

    def __init__(self) -> None:
        super().__init__(
            Sentence("This link is not valid, or is more than three days old. You can get a new one in your account.")
        )


class PleaseWait(Refused):
    """It was tried too often; `retry_after` is in seconds. The words tell nothing of any account."""

    code = "please_wait"

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, ceil(wait.total_seconds()))
        minutes = ceil(self.retry_after / 60)
        super().__init__(
            plural(
                "That was tried too often. Please wait a minute, then try again.",
                "That was tried too often. Please wait %(number)s minutes, then try again.",
                minutes,
            )
        )


class TooManyChanges(Refused):
    """The account has used up its rate of changes; `retry_after` is in seconds."""

    code = "too_many_changes"

    def __init__(self, wait: float) -> None:
        super().__init__(Sentence("You made too many changes in a short time. Nothing was changed this time."))
        self.retry_after = max(1, ceil(wait))


class TokenNameTaken(Refused):
    code = "token_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            Sentence("You have a token named %(name)s already. Choose another name, or end that one first.", name=name)
        )


class TooManyTokens(Refused):
    code = "too_many_tokens"

    def __init__(self, most: int) -> None:
        super().__init__(Sentence("You can have %(most)s tokens at a time. End one that you no longer use.", most=most))


class WrongToken(Refused):
    """The same words whether the token never was, was ended, or is over."""

    code = "wrong_token"

    def __init__(self) -> None:
        super().__init__(
            Sentence("This token is not known here, or it has ended. You can make another one on the site.")
        )


class ReadOnlyToken(Refused):
    code = "read_only_token"

    def __init__(self) -> None:
        super().__init__(Sentence("This token may only read. Nothing was changed."))


class PasswordOverHttp(Refused):
    code = "password_over_http"

    def __init__(self) -> None:
        super().__init__(
            Sentence("A password is taken over https alone. Change it now, since others may have read it.")
        )


class WrongFields(Refused):
    """What a program sent can't be taken; `fields` has a sentence for each field that is wrong."""

    code = "wrong_fields"

    def __init__(self, fields: Mapping[str, str]) -> None:
        wrong = [Sentence(f"{name}: {why}") for name, why in fields.items()]
        super().__init__(together([Sentence("Nothing was changed."), *wrong]))
        self.fields = fields


class KeyReused(Refused):
    code = "key_reused"

    def __init__(self) -> None:
        super().__init__(Sentence("This Idempotency-Key was sent with another request. Nothing was changed."))


class InProgress(Refused):
    """The same request is being answered elsewhere at this moment; `retry_after` is in seconds."""

    code = "in_progress"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            Sentence("The first request with this Idempotency-Key is not through yet. Ask again in a moment.")
        )
        self.retry_after = retry_after


class BadRow(Refused):
    """A row of a file can't be taken; `number` is its place in the file, from 1.

    `field` is the wrong field, if there is one, and `first` the place of an earlier row with the same value.
    """

    code = "bad_row"

    def __init__(self, number: int, sentence: str, field: str = "", *, first: int | None = None) -> None:
        super().__init__(Sentence(sentence))
        self.number = number
        self.field = field
        self.first = first


class Busy(Exception):
    """More people wait than the server can serve in time; nothing was done, and `retry_after` is in seconds.

    It is no refusal: the rules may well say yes in a moment.
    """

    code = "busy"

    why = Sentence("Many people are signing in at this moment. Nothing is lost.")

    def __init__(self, retry_after: int) -> None:
        super().__init__(str(self.why))
        self.retry_after = retry_after

    @property
    def sentence(self) -> str:
        """What is the matter, in the language of who asks."""
        return str(self.why)


class Crowded(Busy):
    """More changes of seats wait than can be made in time."""

    why = Sentence("Many people are enrolling at this moment. Nothing was changed.")
