"""A small IMAP server for one mailbox: the commands of RFC 3501 and 6851 that our client uses, over a real socket.

It keeps folders in memory and can be told to lack capabilities, to offer STARTTLS, or to break the connection.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DATE = "21-Nov-2026 12:10:00 +0000"


@dataclass
class Message:
    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


@dataclass
class ImapServer:
    """State of the server; tests look into it directly."""

    password: str = "pass word"
    move: bool = True
    uidplus: bool = True
    tls: ssl.SSLContext | None = None
    port: int = 0
    validity: int = 77
    folders: dict[str, list[Message]] = field(default_factory=lambda: {"INBOX": []})
    commands: list[str] = field(default_factory=list)
    break_after: str | None = None
    """Close the connection instead of answering this command."""
    poison: int | None = None
    """Close the connection whenever this message's content is asked for."""
    _uid: int = 100

    def deliver(self, raw: bytes) -> int:
        self._uid += 1
        self.folders["INBOX"].append(Message(self._uid, raw))
        return self._uid

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, reader, writer)
        try:
            await session.run()
        except ConnectionError:
            pass
        finally:
            writer.close()


@dataclass
class _Session:
    server: ImapServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    box: list[Message] = field(default_factory=list)
    secure: bool = False

    def say(self, line: str | bytes) -> None:
        self.writer.write((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

    async def run(self) -> None:
        self.say("* OK ready")
        while line := (await self.reader.readline()).decode().strip():
            tag, _, rest = line.partition(" ")
            verb = rest.split()[0].upper()
            if verb == "UID":
                verb = "UID " + rest.split()[1].upper()
            self.server.commands.append("LOGIN" if verb == "LOGIN" else rest)
            if self.server.break_after == verb:
                self.server.break_after = None
                return
            if verb == "UID FETCH" and "BODY" in rest and rest.split()[2] == str(self.server.poison):
                return
            if verb == "STARTTLS" and self.server.tls is not None:
                self.say(f"{tag} OK begin")
                await self.writer.drain()
                await self.writer.start_tls(self.server.tls)
                self.secure = True
                continue
            self.say(f"{tag} {self.answer(verb, rest)} done")
            await self.writer.drain()
            if verb == "LOGOUT":
                return

    def answer(self, verb: str, rest: str) -> str:  # noqa: PLR0911 - one line per command
        server = self.server
        if verb == "CAPABILITY":
            offered = ["IMAP4rev1"]
            offered += ["MOVE"] if server.move else []
            offered += ["UIDPLUS"] if server.uidplus else []
            offered += ["STARTTLS"] if server.tls and not self.secure else []
            self.say("* CAPABILITY " + " ".join(offered))
            return "OK"
        if verb == "LOGIN":
            return "OK" if rest.endswith(f'"{server.password}"') else "NO who are you, stores@hospital.example"
        if verb == "SELECT":
            name = _folder(rest)
            if name not in server.folders:
                return "NO no such folder"
            self.box = server.folders[name]
            self.say(f"* {len(self.box)} EXISTS")
            self.say(f"* OK [UIDVALIDITY {server.validity}] valid")
            return "OK [READ-WRITE]"
        if verb == "CREATE":
            name = _folder(rest)
            if name in server.folders:
                return "NO exists"
            server.folders[name] = []
            return "OK"
        if verb == "FETCH":
            first, last = map(int, rest.split()[1].split(":"))
            for place, message in enumerate(self.box[first - 1 : last], first):
                self.say(f"* {place} FETCH (UID {message.uid} FLAGS ({' '.join(message.flags)}))")
            return "OK"
        if verb.startswith("UID "):
            return self.by_uid(verb, rest)
        return "OK" if verb in {"LOGOUT", "NOOP"} else "BAD what?"

    def by_uid(self, verb: str, rest: str) -> str:
        uid = int(rest.split()[2])
        found = next((each for each in self.box if each.uid == uid), None)
        if found is None:
            return "OK nothing"
        if verb == "UID FETCH":
            self.fetch(found, rest)
        elif verb == "UID STORE":
            found.flags.add("\\Deleted")
        elif verb == "UID EXPUNGE":
            self.box.remove(found)
        elif verb in {"UID COPY", "UID MOVE"}:
            target = self.server.folders.get(_folder(rest))
            if target is None:
                return "NO [TRYCREATE]"
            target.append(Message(found.uid + 1000, found.raw))
            if verb == "UID MOVE":
                self.box.remove(found)
        return "OK"

    def fetch(self, found: Message, rest: str) -> None:
        place = self.box.index(found) + 1
        if "SIZE" in rest:
            self.say(f'* {place} FETCH (UID {found.uid} RFC822.SIZE {len(found.raw)} INTERNALDATE "{DATE}")')
            return
        part = re.search(r"<0\.(\d+)>", rest)
        raw = found.raw[: int(part.group(1))] if part else found.raw
        self.say(f"* {place} FETCH (UID {found.uid} BODY[] {{{len(raw)}}}".encode() + b"\r\n" + raw + b")")


def _folder(rest: str) -> str:
    return str(re.findall(r'"([^"]*)"', rest)[-1])


@asynccontextmanager
async def serving(server: ImapServer) -> AsyncIterator[ImapServer]:
    running = await asyncio.start_server(server.handle, "127.0.0.1", server.port)
    server.port = running.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        running.close()


__all__ = ["ImapServer", "serving"]
