"""A mail server for tests: it listens on this machine, keeps the emails it receives, and refuses them on request."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from quart_enroll.services.notifications.mail import Email

HANG_UP = "hang up"
SILENCE = "silence"
"""In place of a reply, the server closes the connection, or never replies."""

DEFAULT_REPLIES = {
    "CONNECT": "220 ready",
    "EHLO": "250-here\r\n250 8BITMIME",
    "DATA": "354 go on",
    "TEXT": "250 taken",
    "QUIT": "221 bye",
}


@dataclass
class Postbox:
    """A sender that keeps the emails it is given, or raises `refusal`."""

    refusal: Exception | None = None
    letters: list[tuple[str, str, str]] = field(default_factory=list)
    emails: list[Email] = field(default_factory=list)
    address = "no-reply@school.example"

    async def send(self, to: str, email: Email) -> None:
        await asyncio.sleep(0)
        if self.refusal:
            raise self.refusal
        self.letters.append((to, email.subject, email.text))
        self.emails.append(email)


@dataclass
class MailServer:
    """The server's replies by verb, and what it received; CONNECT is the greeting, TEXT the end of a message."""

    replies: dict[str, str]
    port: int = 0
    verbs: list[str] = field(default_factory=list)
    received: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def serve_connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection."""
        with closing(writer):
            is_open = await self._reply("CONNECT", writer)
            while is_open and (line := await reader.readline()):
                verb = line.decode().split()[0].upper()
                self.verbs.append(verb)
                is_open = await self._reply(verb, writer)
                if verb == "DATA" and "DATA" not in self.replies:
                    text = await reader.readuntil(b"\r\n.\r\n")
                    self.received.append(
                        message_from_bytes(text[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default)
                    )
                    is_open = await self._reply("TEXT", writer)

    async def _reply(self, verb: str, writer: StreamWriter) -> bool:
        """Reply, and return whether the connection stays open."""
        reply = self.replies.get(verb) or DEFAULT_REPLIES.get(verb, "250 fine")
        if reply == SILENCE:
            await asyncio.Event().wait()
        if reply == HANG_UP:
            return False
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def mail_server(**replies: str) -> AsyncIterator[MailServer]:
    """Run a mail server on a free port while the block runs."""
    mail = MailServer(replies)
    connections: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(
        lambda reader, writer: connections.append(asyncio.create_task(mail.serve_connection(reader, writer))),
        "127.0.0.1",
        0,
    )
    mail.port = server.sockets[0].getsockname()[1]
    try:
        yield mail
    finally:
        server.close()
        for serve_connection in connections:
            serve_connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
