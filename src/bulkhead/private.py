"""Files of secrets: written whole or not at all, their owner's alone, and refused where somebody else could reach them.

What is asked of an open file, not of a name, cannot change in between. Root reads and writes everything anyway, so that
what is root's is as safe as one's own.
"""

from __future__ import annotations

import errno
import os
import pwd
import secrets
import shlex
import stat
from contextlib import suppress
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700
OTHERS = 0o077
ROOT = 0


class Exposed(OSError):
    """Somebody else can reach this secret; says what to do."""


def read(path: Path, *, is_named: bool = False) -> bytes:
    """What is in a file of secrets. `is_named`: whoever runs this named it, and it may be a link, as files of secrets
    are that another program provides; one of our own may not, for saving would put a file in the link's place. Raises
    Exposed, and OSError as opening does."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # what is no file, as a pipe, may not hold us up
    try:
        descriptor = os.open(path, flags if is_named else flags | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise Exposed(f"{path}: is a link, and saving would replace it; put the file itself there") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Exposed(f"{path}: is no file; move it away")
        _check(path, found, FILE_MODE)
        return file.read()


def check_file(path: Path) -> None:
    """The same for a file that another library opens. Raises Exposed, and OSError where there is none."""
    _check(path, path.stat(), FILE_MODE)


def check_folder(path: Path) -> None:
    """Nobody else can look into a folder or put something there. It may be a link, for whoever could change that could
    not make what it leads to ours. Raises Exposed, and OSError where there is none."""
    _check(path, path.stat(), FOLDER_MODE)


def write(path: Path, data: bytes, *, is_new: bool = False) -> None:
    """Put a file of secrets there, on the disk when this returns. `is_new`: never in the place of another,
    FileExistsError. Raises OSError."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if is_new:
            os.link(part, path)
        else:
            os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):  # it has its name
            part.unlink()
    _sync(path.parent)


def _check(path: Path, found: os.stat_result, mode: int) -> None:
    named = shlex.quote(str(path))
    if found.st_uid not in (os.geteuid(), ROOT):
        raise Exposed(
            f"{path}: belongs to {_user(found.st_uid)}, who can change it; look at it, and if it is yours "
            f"`chown {_user(os.geteuid())} {named}` it first"
        )
    if found.st_mode & OTHERS:
        what = "read or change it" if found.st_mode & 0o022 else "read it"
        raise Exposed(f"{path}: others on this machine may {what}; `chmod {mode:o} {named}` it first")


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
