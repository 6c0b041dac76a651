"""Reasons to refuse, each with its own sentence for people and a stable code for programs."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil


class Refused(Exception):
    """The rules say no; `sentence` tells a person why, `code` tells a program."""

    code = "refused"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class UnknownCourse(Refused):
    code = "unknown_course"

    def __init__(self, courseID: str) -> None:
        super().__init__(f"There is no course {courseID} in the catalog.")


class UnknownTerm(Refused):
    """The text names no term of the catalog; `known` lists the names that would do."""

    code = "unknown_term"

    def __init__(self, text: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no term “{text}” in the catalog.")
        self.known = known


class NoTerms(UnknownTerm):
    """Nothing can be taken or given back before the registrar has imported a term."""

    code = "no_terms"

    def __init__(self) -> None:
        Refused.__init__(self, "The school has no terms yet.")
        self.known = []


class TermNeeded(Refused):
    """The student has the course in several terms; one of them must be named."""

    code = "term_needed"

    def __init__(self, title: str, terms: Sequence[str]) -> None:
        super().__init__(f"{title} is on your schedule for {_and(terms)}. Say for which term. Nothing was changed.")


class NotTaught(Refused):
    code = "not_taught"

    def __init__(self, title: str, term: str) -> None:
        super().__init__(f"{title} is not taught in {term}.")


class UnknownSection(Refused):
    code = "unknown_section"

    def __init__(self, title: str, section: str, term: str) -> None:
        super().__init__(f"{title} has no section {section} in {term}.")


class NotOpenYet(Refused):
    """Adding has not begun; `opens` says when, by the school's clock."""

    code = "not_open_yet"

    def __init__(self, term: str, opens: str) -> None:
        super().__init__(f"Enrollment for {term} opens on {opens}.")


class Closed(Refused):
    code = "closed"

    def __init__(self, term: str, closed: str) -> None:
        super().__init__(f"Enrollment for {term} closed on {closed}.")


class DropClosed(Refused):
    code = "drop_closed"

    def __init__(self, title: str, closed: str) -> None:
        super().__init__(f"{title} could be given back until {closed}. Please ask the registrar.")


class AlreadyEnrolled(Refused):
    code = "already_enrolled"

    def __init__(self, title: str, term: str) -> None:
        super().__init__(f"You are already enrolled in {title} for {term}.")
        self.term = term


class AlreadyWaiting(Refused):
    code = "already_waiting"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(f"You are already waiting for a seat in {title}, section {section}.")


class NotEnrolled(Refused):
    code = "not_enrolled"

    def __init__(self, title: str, term: str = "") -> None:
        where = f"{title} for {term}" if term else title
        super().__init__(f"You are not enrolled in {where}. Nothing was changed.")
        self.term = term


class NotWaiting(Refused):
    code = "not_waiting"

    def __init__(self, title: str, term: str = "") -> None:
        what = f"{title} in {term}" if term else title
        super().__init__(f"You are not waiting for {what}. Nothing was changed.")


class SectionFull(Refused):
    """No seat is open; `others` are the numbers of sections of the course with a seat that fits the schedule."""

    code = "section_full"

    def __init__(self, title: str, section: str, *, can_wait: bool = False, others: Sequence[str] = ()) -> None:
        sentence = f"{title}, section {section}, is full."
        if others:
            sentence += f" {'Sections' if len(others) > 1 else 'Section'} {_and(others)} "
            sentence += f"{'have' if len(others) > 1 else 'has'} seats that fit your schedule."
        if can_wait:
            sentence += " You can join the waitlist."
        super().__init__(sentence)
        self.others = others


class WaitlistFull(Refused):
    code = "waitlist_full"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(f"The waitlist of {title}, section {section}, is full.")


class TimeConflict(Refused):
    code = "time_conflict"

    def __init__(self, title: str, other: str, when: str) -> None:
        super().__init__(f"{title} meets at the same time as {other}: {when}.")


class CreditLimit(Refused):
    code = "credit_limit"

    def __init__(self, title: str, *, adds: float, has: float, limit: float) -> None:
        super().__init__(f"{title} has {adds:g} credits, and you have {has:g} already; the limit is {limit:g}.")


class PrerequisiteMissing(Refused):
    code = "prerequisite_missing"

    def __init__(self, title: str, missing: Sequence[str]) -> None:
        super().__init__(f"{title} needs {_and(missing)} from an earlier term.")


class CorequisitesWouldGo(Refused):
    """Giving back a course would take others along; `courses` are their courseIDs. It waits for a yes."""

    code = "corequisites_would_go"

    def __init__(self, title: str, others: Sequence[str], courses: Sequence[str]) -> None:
        super().__init__(f"{_and(others)} can’t be taken without {title}, and would be given back with it.")
        self.courses = courses


class SeatOpen(Refused):
    """There is nothing to be told of later: a seat is open now."""

    code = "seat_open"

    def __init__(self, title: str, section: str) -> None:
        super().__init__(f"{title}, section {section}, has an open seat: you can take it now.")


class TooManyAlerts(Refused):
    code = "too_many_alerts"

    def __init__(self, most: int) -> None:
        super().__init__(f"You asked to be told of seats in {most} sections already. End one of those first.")


class PlanFull(Refused):
    code = "plan_full"

    def __init__(self, term: str, most: int) -> None:
        super().__init__(f"Your plan for {term} has {most} courses already. Remove one first.")


class NotPlanned(Refused):
    code = "not_planned"

    def __init__(self, title: str, term: str = "") -> None:
        where = f"your plan for {term}" if term else "your plan"
        super().__init__(f"{title} is not in {where}. Nothing was changed.")


class EmailTaken(Refused):
    code = "email_taken"

    def __init__(self) -> None:
        super().__init__("There is already an account with this address. Sign in, or use another address.")


class WrongCredentials(Refused):
    """The same words for an unknown address and a wrong password: a stranger learns nothing."""

    code = "wrong_credentials"

    def __init__(self) -> None:
        super().__init__("The email address or the password is not right. Please try again.")


class PasswordRefused(Refused):
    """A password that nobody should choose; whoever uses one already may go on."""

    code = "password_refused"


class WrongPassword(Refused):
    """Who is signed in was asked for the password, and this is another one."""

    code = "wrong_password"

    def __init__(self) -> None:
        super().__init__("That is not your password.")


class LastRegistrar(Refused):
    code = "last_registrar"

    def __init__(self) -> None:
        super().__init__("You are the only registrar. Somebody else must become one before your account can go.")


class AccountGone(Refused):
    """The account was removed while one of its requests was on the way."""

    code = "account_gone"

    def __init__(self) -> None:
        super().__init__("This account is deleted. Nothing was changed.")


class SignInEnded(Refused):
    """The sign-in was ended while one of its requests was on the way."""

    code = "sign_in_ended"

    def __init__(self) -> None:
        super().__init__("This sign-in has ended. Nothing was changed. Please sign in again.")


class LinkDead(Refused):
    code = "link_dead"

    def __init__(self) -> None:
        super().__init__(
            "This link was used already, or it is older than an hour. "
            "If you have chosen a new password, sign in with it; if not, ask for another link."
        )


class PleaseWait(Refused):
    """It was tried too often; `retry_after` is in seconds. The words tell nothing of any account."""

    code = "please_wait"

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(1, ceil(wait.total_seconds()))
        minutes = ceil(self.retry_after / 60)
        time = f"{minutes} minutes" if minutes > 1 else "a minute"
        super().__init__(f"That was tried too often. Please wait {time}, then try again.")


class TokenNameTaken(Refused):
    code = "token_name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"You have a token named {name} already. Choose another name, or end that one first.")


class TooManyTokens(Refused):
    code = "too_many_tokens"

    def __init__(self, most: int) -> None:
        super().__init__(f"You can have {most} tokens at a time. End one that you no longer use.")


class WrongToken(Refused):
    """The same words whether the token never was, was ended, or is over."""

    code = "wrong_token"

    def __init__(self) -> None:
        super().__init__("This token is not known here, or it has ended. You can make another one on the site.")


class ReadOnlyToken(Refused):
    code = "read_only_token"

    def __init__(self) -> None:
        super().__init__("This token may only read. Nothing was changed.")


class PasswordOverHttp(Refused):
    code = "password_over_http"

    def __init__(self) -> None:
        super().__init__("A password is taken over https alone. Change it now, since others may have read it.")


class WrongFields(Refused):
    """What a program sent can't be taken; `fields` has a sentence for each field that is wrong."""

    code = "wrong_fields"

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(["Nothing was changed.", *(f"{name}: {why}" for name, why in fields.items())]))
        self.fields = fields


class KeyReused(Refused):
    code = "key_reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was sent with another request. Nothing was changed.")


class InProgress(Refused):
    """The same request is being answered elsewhere at this moment; `retry_after` is in seconds."""

    code = "in_progress"

    def __init__(self, retry_after: int) -> None:
        super().__init__("The first request with this Idempotency-Key is not through yet. Ask again in a moment.")
        self.retry_after = retry_after


class BadRow(Refused):
    """A row of a file can't be taken; `number` is its place in the file, from 1."""

    code = "bad_row"

    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(sentence)
        self.number = number


class Busy(Refused):
    """More people wait than the server can serve in time; `retry_after` is in seconds."""

    code = "busy"

    def __init__(self, retry_after: int) -> None:
        super().__init__("Many people are signing in at this moment. Nothing is lost.")
        self.retry_after = retry_after


def _and(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])
