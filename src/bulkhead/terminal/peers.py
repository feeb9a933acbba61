"""Whose program stands at the other end of a connection, as Linux tells it.

A browser shows its cookies to every server of a host, whatever the port, so another user's server on this machine may
have learned ours. What it cannot have is a socket of this user's. A program of this user's own can read his key files
and his browser's memory anyway: no door could keep it out.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TABLE, TABLE_6 = Path("/proc/net/tcp"), Path("/proc/net/tcp6")
LOOKS = 3  # a table that changes while it is read may leave out a row
ANYBODY = "all"
ROOT = 0
GONE = -1  # no program holds this socket any more, so that nobody can say whose it was
STATE = "peer"
CANNOT_TELL = (
    "This system does not say whose programs connect, as Linux does: another user of this machine who has learned the "
    "address or the browser's cookie could open the screens."
)
End = tuple[str, int]


class UnknownUser(ValueError):
    """Nobody of this name uses this machine."""


class Peer:
    """The two ends of one connection, and whether it is let in, once that was asked."""

    __slots__ = ("is_let_in", "ours", "theirs")

    def __init__(self, theirs: End | None, ours: tuple[str, int | None] | None) -> None:
        self.theirs = theirs
        self.ours = ours
        self.is_let_in: bool | None = None


class Connection(HttpToolsProtocol):
    """Names its peer in the scope of every request of the connection, and of the websocket that it becomes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As the server's own, which takes both ends from the socket: no header changes them."""
        super().connection_made(transport)
        self.app_state: dict[str, Any] = {**self.app_state, STATE: Peer(self.client, self.server)}


class Peers:
    """Lets in programs of this user, of root, and of users that are named; and other machines, which are none of
    Linux's business: whoever has the terminal listen to them has chosen it. `users` None: everybody."""

    def __init__(self, users: Collection[int] | None = ()) -> None:
        self._users = None if users is None else frozenset({os.geteuid(), ROOT, *users})

    def may(self, scope: Scope) -> bool:
        """Whether a request's connection is let in: looked up for its first request, and then known."""
        if self._users is None:
            return True
        peer = scope.get("state", {}).get(STATE)
        if not isinstance(peer, Peer):
            return False
        if peer.is_let_in is None:
            peer.is_let_in = self._look(peer)
        return peer.is_let_in

    def _look(self, peer: Peer) -> bool:
        assert self._users is not None, "asked before"
        if peer.theirs is None or peer.ours is None or peer.ours[1] is None:
            return False
        try:
            found = user_of(peer.theirs, (peer.ours[0], peer.ours[1]))
        except (OSError, ValueError):  # it could be told at the start
            return False
        if found is not None:
            return found in self._users
        theirs = _address(peer.theirs[0])
        return not theirs.is_loopback and theirs != _address(peer.ours[0])


def user_of(theirs: End, ours: End) -> int | None:
    """The number of the user whose program has the socket at the other end; None where no socket of this machine has
    it, GONE where no program does. Raises OSError where the system does not tell."""
    wanted = list(_rows(theirs, ours))
    for _ in range(LOOKS):
        for table, ends in wanted:
            try:
                text = table.read_bytes()
            except FileNotFoundError:
                if table is TABLE:
                    raise
                continue  # a machine without IPv6
            place = text.find(ends)
            if place >= 0:
                cells = text[place : text.index(b"\n", place)].split()
                user, inode = int(cells[6]), int(cells[8])
                return user if inode else GONE  # let go, it is told as root's
    return None


def can_tell() -> bool:
    """Whether a connection of our own is known as ours here."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as own:
            return user_of(own.getsockname(), own.getpeername()) == os.geteuid()
    except (OSError, ValueError, IndexError):
        return False


def peers_for(admitted: Iterable[str]) -> tuple[Peers, str]:
    """Who is let in where these users are, by name or number, and what to say of it: "", or that this system cannot
    tell. Raises UnknownUser."""
    named = list(admitted)
    if ANYBODY in named:
        return Peers(None), ""
    users = [_number(name) for name in named]
    return (Peers(users), "") if can_tell() else (Peers(None), CANNOT_TELL)


def _number(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UnknownUser(f"this machine has no user {name!r}") from None


def _rows(theirs: End, ours: End) -> Iterable[tuple[Path, bytes]]:
    """How the row of the other end begins. A socket of IPv6 may speak IPv4: then either end may be told as either."""
    ends = [(_address(theirs[0]), theirs[1]), (_address(ours[0]), ours[1])]
    if all(isinstance(address, IPv4Address) for address, _ in ends):
        yield TABLE, _begin(ends)
        ends = [(IPv6Address(f"::ffff:{address}"), port) for address, port in ends]
    yield TABLE_6, _begin(ends)


def _begin(ends: list[tuple[IPv4Address | IPv6Address, int]]) -> bytes:
    """As the kernel prints addresses: in words of 32 bits, each in this machine's order."""
    return b"".join(
        b" %s:%04X" % (b"".join(b"%08X" % word for (word,) in struct.iter_unpack("=I", address.packed)), port)
        for address, port in ends
    ) + b" "  # fmt: skip


def _address(host: str) -> IPv4Address | IPv6Address:
    found = ip_address(host.partition("%")[0])
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
