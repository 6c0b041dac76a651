"""The subjects and texts of emails, in the recipient's language."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from quart_enroll.domain.email_settings import KINDS_BY_ACTION
from quart_enroll.domain.models import Credentials, EmailChangeSide, Event, Notice, SectionKey, User
from quart_enroll.i18n import language
from quart_enroll.i18n.language import Sentence, TermName, Value, gettext
from quart_enroll.services.accounts.email_links import EmailLinks
from quart_enroll.services.notifications.mail import Attachment, Email

PASSWORD_RESET_TEXT = Sentence("""\
Someone, hopefully you, asked for a new password for your account. You can choose it here:

%(link)s

The link works once, for one hour. If it wasn’t you, just ignore this message: your password stays the same.""")

PASSWORD_CHANGED_TEXT = Sentence("""\
Your password was changed, and you’ve been signed out everywhere else.

If it wasn’t you, request a new password right away:

%(link)s""")

ACCOUNT_REMOVED_TEXT = Sentence("""\
The registrar has removed your account, as you asked. Your name, your email and your sign-ins are deleted. The courses
that you have taken stay in the school’s records, without your name.""")

CONFIRMATION_TEXT = Sentence("""\
Someone, hopefully you, created an account with this email. If it was you, confirm your email here:

%(link)s

The link works for three days. If it wasn’t you, just ignore this message.""")

NEW_EMAIL_TEXT = Sentence("""\
Someone, hopefully you, asked to use this email for an account. If it was you, confirm the email here:

%(link)s

The link works for one day. If it wasn’t you, just ignore this message.""")

EMAIL_TAKEN_TEXT = Sentence("""\
Someone, hopefully you, asked to use this email for another account. You already have an account with it, so nothing has
changed. If you’ve forgotten your password, you can choose a new one:

%(link)s

If it wasn’t you, just ignore this message.""")

EMAIL_CHANGE_TEXT = Sentence("""\
%(sentence)s Confirm or cancel the change here:

%(link)s

The link works for one day. Your email changes only if the change is confirmed from both emails. If it wasn’t you,
cancel the change and choose a new password right away:

%(forgot)s""")

EMAIL_CHANGED_TEXT = Sentence("""\
The email on your account was changed, and you’ve been signed out everywhere. From now on, sign in with your new email.
If you didn’t ask for this change, tell your school’s registrar right away.""")

SEAT_SUBJECTS = {
    "promote": Sentence("You’re enrolled in %(title)s"),
    "skip": Sentence("Your place on the waitlist for %(title)s"),
    "alert": Sentence("A seat opened in %(title)s"),
    "moved": Sentence("Your section of %(title)s has changed"),
    "cancelled": Sentence("Your section of %(title)s was canceled"),
    "staff": Sentence("Your registration for %(title)s has changed"),
    "permit": Sentence("Your permit for %(title)s"),
    "consent": Sentence("Your request for consent: %(title)s"),
    "no_show": Sentence("You were dropped from %(title)s"),
}
"""The subject for each action of a notice about a seat, with the title of the course."""


CONFIRMED_SUBJECTS = {
    "enroll": SEAT_SUBJECTS["promote"],
    "drop": Sentence("You dropped %(title)s"),
    "withdraw": Sentence("You withdrew from %(title)s"),
    "swap": Sentence("You swapped into %(title)s"),
}
"""The subject of a confirmation of one change, by the action of the event."""

CONFIRMED_CHANGES = {
    "enroll": Sentence("You enrolled in %(title)s, section %(section)s, for %(term)s."),
    "drop": Sentence("You dropped %(title)s, section %(section)s, for %(term)s."),
    "withdraw": Sentence(
        "You withdrew from %(title)s, section %(section)s, for %(term)s. It stays on your schedule with a W."
    ),
    "swap": Sentence("You swapped into %(title)s, section %(section)s, for %(term)s."),
}
"""What a confirmation says about each change."""

NOT_DONE_BY_READER = Sentence("If it says you did something you didn’t do, change your password right away.")

CALENDAR_FILES = Sentence("The attached files bring your calendar up to date.")

UNSUBSCRIBE_TEXT = Sentence("""\
Don’t want emails like this? Turn them off here:

%(link)s""")


@contextmanager
def as_read_by(to: User) -> Iterator[None]:
    """Make texts in the recipient's time zone, and language or else the site's first one."""
    with language.use_language(to.language or language.current_language()), language.use_timezone(to.timezone):
        yield


def compose(
    notice: Notice, to: Credentials, links: EmailLinks, now: datetime, files: Sequence[Attachment] = ()
) -> Email:
    """Return the email about a notice."""
    kind = KINDS_BY_ACTION.get(notice.action)
    unsubscribe = links.unsubscribe(to.user, kind) if kind else ""
    with as_read_by(to.user):
        subject, text = _subject_and_text(notice, to, links, now)
        return complete(subject, text, to.user, files, unsubscribe)


def complete(
    subject: str, text: str, to: User, files: Sequence[Attachment], unsubscribe: str, *, key: str = ""
) -> Email:
    """Add the greeting and the final lines to a text, and return the email, in the current language."""
    if files:
        text = f"{text}\n\n{CALENDAR_FILES}"
    # Anyone may have entered any text as the name; a removed account has none.
    if to.email_unconfirmed or not to.short_name:
        text = gettext("Hello,\n\n%(text)s\n\nThis inbox isn’t monitored, so please don’t reply.\n", text=text)
    else:
        text = gettext(
            "Hello %(name)s,\n\n%(text)s\n\nThis inbox isn’t monitored, so please don’t reply.\n",
            name=to.short_name,
            text=text,
        )
    if unsubscribe:
        text = f"{text}\n{UNSUBSCRIBE_TEXT % {'link': unsubscribe}}\n"
    return Email(subject, text, files, key=key, unsubscribe=unsubscribe)


def confirmation(events: Sequence[Event], titles: Mapping[SectionKey, str]) -> tuple[str, str]:
    """Return the subject and the text that confirm what a student did, in the current language."""
    changes = "\n".join(f"• {CONFIRMED_CHANGES[event.action] % _where(event, titles)}" for event in events)
    if len(events) == 1:
        subject = CONFIRMED_SUBJECTS[events[0].action] % _where(events[0], titles)
    else:
        subject = gettext("Your schedule has changed")
    text = gettext(
        "%(changes)s\n\nSign in to see your schedule. If it wasn’t you, change your password right away.",
        changes=changes,
    )
    return subject, text


def digest(notices: Sequence[Notice]) -> tuple[str, str]:
    """Return the subject and the text of a daily digest, in the current language."""
    text = gettext(
        "Here’s what has happened since your last digest:\n\n%(list)s\n\nSign in to see your schedule.",
        list="\n".join(f"• {_in_digest(notice)}" for notice in notices),
    )
    if any(notice.action in CONFIRMED_CHANGES for notice in notices):
        text += f" {NOT_DONE_BY_READER}"
    return gettext("Your daily digest"), text


def _in_digest(notice: Notice) -> str:
    if notice.action not in CONFIRMED_CHANGES:
        return notice.sentence
    where: dict[str, Value] = {"title": notice.title, "section": notice.section, "term": TermName(notice.term)}
    return CONFIRMED_CHANGES[notice.action] % where


def title_of(event: Event, titles: Mapping[SectionKey, str]) -> str:
    """Return the title of the course that the event is about, or its key if the course is gone."""
    return titles.get(SectionKey(event.term, event.courseID, event.section), event.courseID)


def _where(event: Event, titles: Mapping[SectionKey, str]) -> dict[str, Value]:
    title = " ".join(title_of(event, titles).split())
    return {"title": title, "section": event.section, "term": TermName(event.term)}


def _subject_and_text(notice: Notice, to: Credentials, links: EmailLinks, now: datetime) -> tuple[str, str]:
    match notice.action:
        case "password_changed":
            return gettext("Your password was changed"), PASSWORD_CHANGED_TEXT % {"link": links.forgot}
        case "password_forgotten":
            return gettext("Choose a new password"), PASSWORD_RESET_TEXT % {"link": links.reset(to, now)}
        case "confirm_email":
            return gettext("Confirm your email"), CONFIRMATION_TEXT % {"link": links.confirmation(to.user, now)}
        case "new_email" if notice.user_id != to.user.user_id:
            return gettext("You already have an account"), EMAIL_TAKEN_TEXT % {"link": links.forgot}
        case "new_email":
            link = links.email_change(notice.user_id, notice.at, EmailChangeSide.NEW)
            return gettext("Confirm your new email"), NEW_EMAIL_TEXT % {"link": link}
        case "email_change":
            link = links.email_change(notice.user_id, notice.at, EmailChangeSide.OLD)
            values = {"sentence": notice.because or "", "link": link, "forgot": links.forgot}
            return gettext("Confirm or cancel your email change"), EMAIL_CHANGE_TEXT % values
        case "email_changed":
            return gettext("Your email was changed"), str(EMAIL_CHANGED_TEXT)
        case "roster_email":
            return notice.subject, f"{notice.text}\n\n-- \n{notice.because}"
        case "account_removed":
            return gettext("Your account was removed"), str(ACCOUNT_REMOVED_TEXT)
        case "hold_placed":
            return gettext("There is a hold on your account"), notice.sentence
        case "hold_lifted":
            return gettext("A hold on your account was lifted"), notice.sentence
        case "appointment":
            return gettext("Your enrollment appointment"), notice.sentence
        case "consent_requested":
            subject = gettext("Request for consent: %(title)s", title=" ".join(notice.title.split()))
            return subject, gettext("%(sentence)s\n\nSign in to decide.", sentence=notice.sentence)
        case "removal_declined":
            return gettext("Your request to remove your account"), notice.sentence
        case _:
            return _about_a_seat(notice)


def _about_a_seat(notice: Notice) -> tuple[str, str]:
    title = " ".join(notice.title.split())
    text = gettext("%(sentence)s\n\nSign in to see your schedule.", sentence=notice.sentence)
    return SEAT_SUBJECTS[notice.action] % {"title": title}, text
