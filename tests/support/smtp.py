"""A mail server for tests: it listens on this machine, keeps what it receives, and refuses on request."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

HANG_UP = "hang up"
SILENCE = "silence"
"""Instead of a reply: close the connection, or never reply."""

USUAL = {
    "CONNECT": "220 ready",
    "EHLO": "250-here\r\n250 8BITMIME",
    "DATA": "354 go on",
    "TEXT": "250 taken",
    "QUIT": "221 bye",
}


@dataclass
class Postbox:
    """A sender that keeps its emails, or raises `refusal`."""

    refusal: Exception | None = None
    letters: list[tuple[str, str, str]] = field(default_factory=list)

    async def send(self, to: str, subject: str, text: str) -> None:
        await asyncio.sleep(0)
        if self.refusal:
            raise self.refusal
        self.letters.append((to, subject, text))


@dataclass
class MailServer:
    """What is answered, and what arrived. `answers` are by verb; CONNECT is the greeting, TEXT the end of a message."""

    answers: dict[str, str]
    port: int = 0
    verbs: list[str] = field(default_factory=list)
    received: list[EmailMessage] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def talk(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Have one conversation."""
        with closing(writer):
            going_on = await self._answer("CONNECT", writer)
            while going_on and (line := await reader.readline()):
                verb = line.decode().split()[0].upper()
                self.verbs.append(verb)
                going_on = await self._answer(verb, writer)
                if verb == "DATA" and "DATA" not in self.answers:
                    text = await reader.readuntil(b"\r\n.\r\n")
                    self.received.append(
                        message_from_bytes(text[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default)
                    )
                    going_on = await self._answer("TEXT", writer)

    async def _answer(self, verb: str, writer: StreamWriter) -> bool:
        """Answer, and return whether the conversation goes on."""
        answer = self.answers.get(verb) or USUAL.get(verb, "250 fine")
        if answer == SILENCE:
            await asyncio.Event().wait()
        if answer == HANG_UP:
            return False
        writer.write(answer.encode() + b"\r\n")
        await writer.drain()
        return True


@asynccontextmanager
async def mail_server(**answers: str) -> AsyncIterator[MailServer]:
    """Run a mail server on a free port while the block runs."""
    mail = MailServer(answers)
    talks: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(
        lambda reader, writer: talks.append(asyncio.create_task(mail.talk(reader, writer))), "127.0.0.1", 0
    )
    mail.port = server.sockets[0].getsockname()[1]
    try:
        yield mail
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
