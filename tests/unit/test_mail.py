"""Sending email over SMTP: what arrives, and what each reply of a mail server means."""

from email.utils import parseaddr

import pytest

from quart_enroll.services.notifications.mail import (
    DeliveryUnknown,
    Email,
    Postponed,
    SmtpSender,
    Undeliverable,
    mail_from,
    smtp_url,
)
from tests.support.processes import free_port
from tests.support.smtp import HANG_UP, SILENCE, MailServer, mail_server

FROM = "Example School <no-reply@school.example>"
LETTER = ("ada@school.example", Email("You’re enrolled in PYT 101", "Hello Ada,\n\nit is done.\n"))


async def _send(mail: MailServer, to: str = "ada@school.example", subject: str = "Hello", text: str = "text") -> None:
    await SmtpSender(mail.url, FROM).send(to, Email(subject, text))


async def test_a_message_arrives_as_it_was_written() -> None:
    async with mail_server() as mail:
        await _send(mail, "ada@school.example", "Über Mathe – heute", "Hello Ada,\n\n.hidden\nünder “quotes”\n")
    [message] = mail.received
    assert message["To"] == "ada@school.example"
    assert parseaddr(message["From"]) == ("Example School", "no-reply@school.example")
    assert message["Subject"] == "Über Mathe – heute"
    assert message.get_content().replace("\r\n", "\n") == "Hello Ada,\n\n.hidden\nünder “quotes”\n"
    assert message["Date"]
    assert message["Message-ID"].endswith("@school.example>")
    assert message["Auto-Submitted"] == "auto-generated"


async def test_an_email_that_can_be_turned_off_has_the_link_in_one_readable_line() -> None:
    link = f"https://enroll.school.example/email/unsubscribe/{'t' * 150}"
    async with mail_server() as mail:
        await SmtpSender(mail.url, FROM).send("ada@school.example", Email("Hello", "text", unsubscribe=link))
        await _send(mail)
    found, mandatory = [dict(message.raw_items()) for message in mail.received]
    assert found["List-Unsubscribe"] == f"<{link}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "List-Unsubscribe" not in mandatory


async def test_a_subject_cannot_inject_a_header() -> None:
    async with mail_server() as mail:
        with pytest.raises(Undeliverable):
            await _send(mail, "ada@school.example", "Hello\r\nBcc: everybody@school.example", "text")
    assert mail.verbs == []


@pytest.mark.parametrize(
    "address",
    [
        "ada@school.example, bob@school.example",
        "ada@school.example\r\nRCPT TO:<bob@school.example>",
        "Ada <ada@school.example>",
        '"ada bob"@school.example',
        "ada",
        "",
    ],
)
async def test_a_recipient_is_exactly_one_mailbox(address: str) -> None:
    async with mail_server() as mail:
        with pytest.raises(Undeliverable):
            await _send(mail, address, "Hello", "text")
    assert mail.verbs == []


async def test_an_unreachable_mail_server_postpones_the_email() -> None:
    with pytest.raises(Postponed):
        await SmtpSender(f"smtp://127.0.0.1:{free_port()}", FROM).send(*LETTER)


@pytest.mark.parametrize(
    ("step", "answer", "meaning"),
    [
        ("CONNECT", "421 too busy", Postponed),
        ("CONNECT", "554 not for you", Postponed),
        ("EHLO", HANG_UP, Postponed),
        ("MAIL", "451 later", Postponed),
        ("MAIL", "550 wrong sender", Postponed),
        ("MAIL", HANG_UP, Postponed),
        ("RCPT", "450 mailbox busy", Postponed),
        ("RCPT", "550 no such mailbox", Undeliverable),
        ("RCPT", HANG_UP, Postponed),
        ("DATA", "421 shutting down", Postponed),
        ("TEXT", "452 disk full", Postponed),
        ("TEXT", "554 looks like spam", Undeliverable),
        ("TEXT", HANG_UP, DeliveryUnknown),
    ],
)
async def test_each_smtp_reply_is_interpreted(step: str, answer: str, meaning: type[Exception]) -> None:
    async with mail_server(**{step: answer}) as mail:
        with pytest.raises(meaning) as error:
            await _send(mail)
    assert "ada" not in str(error.value)


async def test_an_accepted_email_stays_accepted_without_a_reply_to_quit() -> None:
    async with mail_server(QUIT=HANG_UP) as mail:
        await _send(mail)
    assert len(mail.received) == 1


async def test_a_password_is_not_sent_without_encryption() -> None:
    async with mail_server() as mail:
        with pytest.raises(Postponed):
            await SmtpSender(f"smtp://school:secret@127.0.0.1:{mail.port}", FROM).send(*LETTER)
    assert "AUTH" not in mail.verbs


async def test_a_message_is_not_sent_without_encryption_beyond_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quart_enroll.services.notifications.mail.is_local_host", lambda _: False)
    async with mail_server() as mail:  # it offers no STARTTLS
        with pytest.raises(Postponed, match="offers no encryption"):
            await _send(mail)
        assert mail.verbs == ["EHLO"]
        await SmtpSender(mail.url, FROM, allow_plaintext=True).send(*LETTER)
    assert len(mail.received) == 1


async def test_a_password_is_not_sent_without_encryption_whatever_is_allowed() -> None:
    async with mail_server() as mail:
        sender = SmtpSender(f"smtp://school:secret@127.0.0.1:{mail.port}", FROM, allow_plaintext=True)
        with pytest.raises(Postponed):
            await sender.send(*LETTER)
    assert "AUTH" not in mail.verbs


@pytest.mark.parametrize(
    ("step", "meaning"),
    [("CONNECT", Postponed), ("RCPT", Postponed), ("DATA", DeliveryUnknown), ("TEXT", DeliveryUnknown)],
)
@pytest.mark.parametrize("limit", ["SMTP_TIMEOUT_SECONDS", "MESSAGE_TIMEOUT_SECONDS"])
async def test_a_server_that_never_answers_does_not_hold_us_up(
    step: str, meaning: type[Exception], limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"quart_enroll.services.notifications.mail.{limit}", 0.2)
    async with mail_server(**{step: SILENCE, "QUIT": HANG_UP}) as mail:
        with pytest.raises(meaning):
            await _send(mail)


@pytest.mark.parametrize(
    "url", ["smtp://mail.example", "smtps://mail.example", "smtp://u%40s:p%2Fw@mail.example:2525", "smtp://[::1]:25/"]
)
def test_a_mail_servers_url_is_parsed(url: str) -> None:
    assert smtp_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["mail.example", "http://mail.example", "smtp://", "smtp://host:port", "smtp://user@host", "smtp://host/path"],
)
def test_an_invalid_mail_server_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be like smtp://"):
        smtp_url(url)


@pytest.mark.parametrize("text", ["", "school", "School <school>", "a@b.example\nBcc: c@d.example", "a@b, c@d"])
def test_an_invalid_sender_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be like"):
        mail_from(text)


async def test_a_domain_beyond_ascii_needs_no_server_that_knows_it() -> None:
    async with mail_server() as mail:  # it offers no SMTPUTF8
        await SmtpSender(mail.url, "Büro <no-reply@schüle.example>").send("ada@bücher.example", Email("Hello", "text"))
    [message] = mail.received
    assert message["To"] == "ada@xn--bcher-kva.example"
    assert parseaddr(message["From"])[1] == "no-reply@xn--schle-mva.example"


async def test_a_name_beyond_ascii_needs_a_server_that_knows_it() -> None:
    async with mail_server() as mail:
        with pytest.raises(Undeliverable):
            await _send(mail, "adä@bücher.example", "Hello", "text")
