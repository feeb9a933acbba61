"""Files of secrets: nobody else reaches them, at no moment, and one that others can reach says what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bulkhead import private

NOBODY = 65_534


def give_away(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Make it another user's; where only root could, have us be another."""
    if os.geteuid() == private.ROOT:
        os.chown(path, NOBODY, NOBODY)
    else:
        another = os.geteuid() + 1
        patch.setattr(os, "geteuid", lambda: another)


def test_it_is_whole_and_its_owners_alone_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen, fsync = tmp_path / "key", [], os.fsync

    def look(descriptor: int) -> None:
        fsync(descriptor)
        seen.append([(one.name, one.stat().st_mode & 0o777) for one in tmp_path.iterdir()])

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0)
    try:
        private.write(path, b"first", is_new=True)
        private.write(path, b"second")
    finally:
        os.umask(before)
    assert private.read(path) == b"second"
    part, named, again, last = seen
    assert [mode for _, mode in part] == [0o600] and part[0][0].endswith(".part"), "on the disk before it has its name"
    assert named == [("key", 0o600)] == last, "and its name, too; nothing else stays"
    assert len(again) == 2 and {mode for _, mode in again} == {0o600}
    with pytest.raises(FileExistsError):
        private.write(path, b"third", is_new=True)
    assert private.read(path) == b"second" and [one.name for one in tmp_path.iterdir()] == ["key"]


def test_a_disk_that_is_full_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    private.write(path, b"first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        private.write(path, b"second")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"first"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602, 0o601, 0o660])
def test_others_may_neither_read_nor_write(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a key"
    private.write(path, b"x")
    path.chmod(mode)
    for look in (private.read, private.check_file):
        with pytest.raises(private.Exposed, match=f"`chmod 600 '{path}'` it first"):
            look(path)
    folder = tmp_path / "keys"
    folder.mkdir()
    folder.chmod(mode | 0o100)
    with pytest.raises(private.Exposed, match=f"`chmod 700 {folder}` it first"):
        private.check_folder(folder)
    folder.chmod(0o700)
    private.check_folder(folder)


def test_what_another_user_owns_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    private.write(path, b"x")
    give_away(path, monkeypatch)
    with pytest.raises(private.Exposed, match=r"belongs to \S+, who can change it; .*`chown \S+ "):
        private.read(path)


def test_a_link_is_followed_where_it_was_named_and_refused_where_saving_would_replace_it(tmp_path: Path) -> None:
    path, link = tmp_path / "key", tmp_path / "link"
    private.write(path, b"x")
    link.symlink_to(path)
    with pytest.raises(private.Exposed, match="is a link"):
        private.read(link)
    assert private.read(link, is_named=True) == b"x"
    path.chmod(0o644)
    with pytest.raises(private.Exposed, match="chmod 600"):
        private.read(link, is_named=True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(private.Exposed, match="no file"):
        private.read(pipe)
