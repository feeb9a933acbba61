"""Keys on disk: nobody but the owner with his passphrase reads them, and every way to get it wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkhead.terminal.keystore import Access, KeyStore, KeyStoreError, Unlocked, WrongPassphrase

GOOD = "correct horse"
KEY = "0x" + "2a" * 32
ACCESS = Access(64, "ab" * 32, "0x123")


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys", work_factor=1 << 10)


def test_what_is_kept_comes_back_and_is_not_on_the_disk(store: KeyStore) -> None:
    made = store.add_owner("main", GOOD, KEY)
    made.remember("http://one", ACCESS)
    path = store.folder / "main.json"
    assert path.stat().st_mode & 0o077 == 0 and store.folder.stat().st_mode & 0o077 == 0
    text = path.read_text()
    for secret in (KEY[2:], ACCESS.api_key, ACCESS.stark_key, GOOD):
        assert secret not in text
    found = store.unlock("main", GOOD)
    assert found.kept == made.kept and found.kept.exchanges == {"http://one": ACCESS}
    assert found.wallet == made.wallet and [one.wallet for one in store.listed()] == [found.wallet]
    assert ACCESS.api_key not in repr(found) and KEY[2:] not in repr(found)
    imported = store.add_access("imported", GOOD, "http://two", ACCESS)
    assert imported.wallet == "" and [one.name for one in store.listed()] == ["imported", "main"]
    new = store.create("new-1", GOOD)
    assert isinstance(new, Unlocked) and new.wallet.startswith("0x") and new.wallet != found.wallet


def test_every_mistake_is_named(store: KeyStore) -> None:
    store.add_owner("main", GOOD, KEY)
    with pytest.raises(WrongPassphrase, match="does not open 'main'"):
        store.unlock("main", "wrong horse")
    for refused, said in (
        (lambda: store.unlock("other", GOOD), "no account 'other'"),
        (lambda: store.create("main", GOOD), "already"),
        (lambda: store.create("weak", "short"), "8 characters"),
        (lambda: store.create("../up", GOOD), "small letters"),
        (lambda: store.create("-x", GOOD), "no hyphen first"),
        (lambda: store.add_owner("none", GOOD, "0x0"), "hexadecimal"),
        (lambda: store.add_owner("none", GOOD, "f" * 64), "no Ethereum key"),
        (lambda: store.add_owner("none", GOOD, "not a key"), "hexadecimal"),
        (lambda: store.add_access("none", GOOD, "http://one", Access(0, " ", "0x1")), "API key"),
    ):
        with pytest.raises(KeyStoreError, match=said):
            refused()
    assert [one.name for one in store.listed()] == ["main"]


def test_a_damaged_or_open_file_is_told(store: KeyStore) -> None:
    store.add_owner("main", GOOD, KEY)
    path = store.folder / "main.json"
    whole = path.read_text()
    path.write_text(whole.replace('"secrets": "gAAA', '"secrets": "gAAB'))
    with pytest.raises(KeyStoreError, match="second part is damaged"):
        store.unlock("main", GOOD)
    path.write_text(whole[:-40])
    with pytest.raises(KeyStoreError, match="not a key file"):
        store.unlock("main", GOOD)
    path.write_text(whole.replace('"version": 1', '"version": 2', 1))
    with pytest.raises(KeyStoreError, match="version 2"):
        store.unlock("main", GOOD)
    path.write_text(whole)
    path.chmod(0o644)
    with pytest.raises(KeyStoreError, match="chmod 600"):
        store.unlock("main", GOOD)
    path.chmod(0o600)
    wallet = store.listed()[0].wallet
    path.write_text(whole.replace(wallet, "0x" + "12" * 20))
    with pytest.raises(KeyStoreError, match="names another wallet"):
        store.unlock("main", GOOD)


def test_a_file_that_cannot_be_used_hinders_no_other(store: KeyStore) -> None:
    store.add_owner("main", GOOD, KEY)
    (store.folder / "broken.json").write_bytes(b"\xff\xfe{")
    (store.folder / "open.json").write_text("{}")
    (store.folder / "broken.json").chmod(0o600)
    broken, main, open_ = store.listed()
    assert main.name == "main" and main.wallet and not main.problem
    assert "damaged, or not a key file" in broken.problem and not broken.wallet
    assert "chmod 600" in open_.problem


def test_of_two_made_at_once_under_one_name_the_first_stays(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.add_owner("main", GOOD, KEY)
    monkeypatch.setattr(Path, "exists", lambda _: False)  # as another tab saw it, a second ago
    with pytest.raises(KeyStoreError, match="already"):
        store.create("main", GOOD)
    assert store.unlock("main", GOOD).wallet == first.wallet
    assert [path.name for path in store.folder.iterdir()] == ["main.json"]


def test_a_folder_that_others_can_reach_gives_and_takes_no_key(store: KeyStore) -> None:
    store.add_owner("main", GOOD, KEY)
    store.folder.chmod(0o755)
    for refused in (lambda: store.unlock("main", GOOD), lambda: store.create("other", GOOD)):
        with pytest.raises(KeyStoreError, match=f"others on this machine may read it; `chmod 700 {store.folder}`"):
            refused()
    assert "chmod 700" in store.listed()[0].problem
    assert [path.name for path in store.folder.iterdir()] == ["main.json"]
    store.folder.chmod(0o700)
    assert store.unlock("main", GOOD).kept.ethereum_key == KEY


def test_a_link_in_a_key_files_place_is_refused(store: KeyStore, tmp_path: Path) -> None:
    store.add_owner("main", GOOD, KEY)
    moved = (store.folder / "main.json").rename(tmp_path / "elsewhere.json")
    (store.folder / "main.json").symlink_to(moved)
    with pytest.raises(KeyStoreError, match="is a link"):
        store.unlock("main", GOOD)
