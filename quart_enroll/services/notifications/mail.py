"""Sends single emails over SMTP, and prints them in development."""

import re
import sys
from asyncio import timeout
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import EmailPolicy
from email.utils import getaddresses, localtime, make_msgid
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP, SMTPDataError, SMTPException, SMTPNotSupported, SMTPRecipientsRefused, SMTPResponse

from quart_enroll.domain import email_addresses
from quart_enroll.system.hosts import is_local_host

SMTP_TIMEOUT_SECONDS = 10.0
"""How long the mail server may take for one response."""

MESSAGE_TIMEOUT_SECONDS = 20.0
"""How long a whole email may take: less than the 30 s that Heroku gives a process to shut down."""

PLAIN_ADDRESS = re.compile(r'[^\s<>()\[\]\\",:;@]+@[^\s<>()\[\]\\",:;@]+')
"""Matches an address of one mailbox, without quoting, which would allow any character."""

MAX_HEADER_LINE_LENGTH = 998
"""The longest line that an email may have, without its end (RFC 5322, section 2.1.1)."""


class UrlHeader(UnstructuredHeader):
    """A header with a URL, on one line: mail programs don't understand one that was encoded to be broken."""

    def fold(self, *, policy: EmailPolicy) -> str:
        """Return the header as it is sent."""
        folded: str = super().fold(policy=policy.clone(max_line_length=MAX_HEADER_LINE_LENGTH))  # type: ignore[misc]  # the registry adds the base class
        return folded


HEADERS = HeaderRegistry()
HEADERS.map_to_type("list-unsubscribe", UrlHeader)  # type: ignore[arg-type]  # the registry adds the base class
POLICY = SMTP_POLICY.clone(header_factory=HEADERS)


class Postponed(Exception):
    """The email was not accepted, but a later try may succeed. The text contains no address."""


class Undeliverable(Exception):
    """The email was refused permanently. The text contains no address."""


class DeliveryUnknown(Exception):
    """The email was sent, but no response came, so it may or may not have been accepted."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A calendar file with its iTIP `method`, which tells a calendar what to do with it (RFC 5546)."""

    name: str
    content: bytes
    method: str


@dataclass(frozen=True, slots=True)
class Email:
    """An email; with a `key`, it always has the same Message-ID, so mailboxes show it once if it is sent twice.

    `unsubscribe` is the link with which the reader turns off emails like this.
    """

    subject: str
    text: str
    attachments: Sequence[Attachment] = ()
    key: str = ""
    unsubscribe: str = ""


class Sender(Protocol):
    """An object that sends emails."""

    @property
    def address(self) -> str:
        """The email address that the emails come from."""

    async def send(self, to: str, email: Email) -> None:
        """Send an email; return when it is accepted. Raises Postponed, Undeliverable, DeliveryUnknown."""


class SmtpSender:
    """Sends each email over a new connection to the mail server at `url`.

    With smtps:// the connection is encrypted from the start; with smtp:// it is encrypted by STARTTLS before anything
    about the email is sent. A server with an invalid certificate or without STARTTLS gets nothing. Only a server on
    this machine may do without encryption, or any server if `allow_plaintext`; a password is never sent unencrypted.
    Raises ValueError for arguments that `smtp_url` and `mail_from` refuse.
    """

    def __init__(self, url: str, sender: str, *, allow_plaintext: bool = False) -> None:
        self._options = _options(url, allow_plaintext=allow_plaintext)
        self._from = _mailbox(sender)

    @property
    def address(self) -> str:
        """The email address that the emails come from."""
        return self._from.addr_spec

    async def send(self, to: str, email: Email) -> None:
        """Send an email; return when it is accepted. Raises Postponed, Undeliverable, DeliveryUnknown."""
        to = email_addresses.in_ascii(
            to
        )  # the domain: for anything beyond ASCII in front of it a server must know SMTPUTF8
        message = self._message(to, email)
        # The greeting uses the sender's domain, because looking up this host's name may take longer than sending.
        client = _Client(local_hostname=self._from.domain, timeout=SMTP_TIMEOUT_SECONDS, **self._options)
        try:
            async with timeout(MESSAGE_TIMEOUT_SECONDS):
                await client.connect()
                await client.send_message(message, sender=self._from.addr_spec, recipients=[to])
                await client.quit()
        except SMTPRecipientsRefused as refusal:
            raise _refusal(refusal.recipients[0].code) from None
        except SMTPDataError as refusal:
            raise _refusal(refusal.code) from None
        except (SMTPException, OSError) as error:
            if not client.accepted:
                raise _failure(error, client, to) from None
        finally:
            client.close()

    def _message(self, to: str, email: Email) -> EmailMessage:
        """Build the message; its policy refuses line breaks in headers, which would start another header."""
        if not PLAIN_ADDRESS.fullmatch(to):
            raise Undeliverable("the address names no mailbox")
        message = EmailMessage(policy=POLICY)
        try:
            message["From"] = self._from
            message["To"] = to
            message["Subject"] = email.subject
        except (ValueError, MessageError):
            raise Undeliverable("a header can't be written") from None
        message["Date"] = localtime()
        domain = self._from.domain
        message["Message-ID"] = f"<{email.key}@{domain}>" if email.key else make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"  # so that no out-of-office reply is sent
        if email.unsubscribe:
            message["List-Unsubscribe"] = f"<{email.unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        message.set_content(email.text)
        for one in email.attachments:
            parameters = {"method": one.method, "charset": "utf-8"}
            message.add_attachment(
                one.content, maintype="text", subtype="calendar", filename=one.name, params=parameters
            )
        return message


class PrintedSender:
    """Prints emails in the terminal instead of sending them, for development without a mail server."""

    address = "no-reply@localhost"

    async def send(self, to: str, email: Email) -> None:
        """Print the email without its recipient and its attachments."""
        attached = "".join(f"[{one.name}]\n" for one in email.attachments)
        sys.stderr.write(f"\n--- Email: {email.subject}\n{email.text}{attached}---\n\n")
        sys.stderr.flush()


def public_url(text: str) -> str:
    """Return the site's URL without a final slash; raise ValueError with the reason if it is invalid."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not re.fullmatch(r"[\w.:\[\]-]+", parts.netloc):
        raise ValueError("must be like https://enroll.school.example")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be the URL of a whole site, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def smtp_url(text: str) -> str:
    """Return the URL of a mail server unchanged; raise ValueError with the reason if it is invalid."""
    _options(text)
    return text


def mail_from(text: str) -> str:
    """Return the sender's address unchanged; raise ValueError with the reason if it is invalid."""
    _mailbox(text)
    return text


class _Client(SMTP):
    """Records how far an email got: once its text is on the way, no response may still mean that it was accepted."""

    handed_over = False
    accepted = False

    async def data(self, message: str | bytes, /, **options: Any) -> SMTPResponse:
        self.handed_over = True
        response = await super().data(message, **options)
        self.accepted = True
        return response


def _options(url: str, *, allow_plaintext: bool = False) -> dict[str, Any]:
    wrong = ValueError("must be like smtp://user:password@host:587 or smtps://host")
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise wrong
    if (parts.username is None) != (parts.password is None):
        raise wrong
    options: dict[str, Any] = {"hostname": parts.hostname, "use_tls": parts.scheme == "smtps", "port": port or 465}
    if parts.username is not None and parts.password is not None:
        options |= {"username": unquote(parts.username), "password": unquote(parts.password)}
    if not options["use_tls"]:
        optional = "password" not in options and (allow_plaintext or is_local_host(parts.hostname))
        options["start_tls"] = None if optional else True  # None: only where the server offers it
        options["port"] = port or (587 if "password" in options else 25)
    return options


def _mailbox(text: str) -> Address:
    (name, address), *more = getaddresses([text]) or [("", "")]
    if more or not PLAIN_ADDRESS.fullmatch(address) or not text.isprintable():
        raise ValueError("must be like no-reply@school.example or My School <no-reply@school.example>")
    return Address(name, *email_addresses.in_ascii(address).split("@"))


def _refusal(code: int) -> Exception:
    """Return the exception for the server's response code: 4xx is temporary, 5xx permanent."""
    if code >= 500:
        return Undeliverable(f"the mail server answered {code}")
    return (
        Postponed(f"the mail server answered {code}")
        if code >= 400
        else DeliveryUnknown(f"the mail server answered {code}")
    )


def _failure(error: Exception, client: _Client, to: str) -> Exception:
    """Return the exception for a failed connection: until the text is on the way, nothing can have been accepted."""
    what = " ".join(str(part) for part in (type(error).__name__, getattr(error, "code", "")) if part)
    if client.handed_over:
        return DeliveryUnknown(what)
    if "STARTTLS" in str(error):
        what = "the mail server offers no encryption (STARTTLS)"
    if isinstance(error, SMTPNotSupported) and not to.isascii():
        return Undeliverable("the mail server can't write the address")
    return Postponed(what)
