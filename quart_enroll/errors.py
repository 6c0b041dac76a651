"""Reasons to refuse, each with its own sentence for people and a stable code for programs."""

from collections.abc import Sequence


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


class NotTaught(Refused):
    code = "not_taught"

    def __init__(self, title: str, term: str) -> None:
        super().__init__(f"{title} is not taught in {term}.")


class AlreadyEnrolled(Refused):
    code = "already_enrolled"

    def __init__(self, title: str, term: str) -> None:
        super().__init__(f"You are already enrolled in {title} for {term}.")


class EmailTaken(Refused):
    code = "email_taken"

    def __init__(self) -> None:
        super().__init__("There is already an account with this address. Sign in, or use another address.")


class WrongCredentials(Refused):
    """The same words for an unknown address and a wrong password: a stranger learns nothing."""

    code = "wrong_credentials"

    def __init__(self) -> None:
        super().__init__("The email address or the password is not right. Please try again.")


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
