"""Settings: what is unknown, wrong or dangerous is refused by name, before anything is opened."""

from pathlib import Path

import pytest

from bulkhead.node.app import open_node
from bulkhead.node.settings import FaucetSettings, Settings, SettingsError, VenueSettings, load_settings

SETTLES = "[venue]\nsettles = true\n[settlement]\n"


def test_a_file_and_then_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('folder = "here"\n[http]\nport = 9000\n[limits]\nburst = 7\n')
    found = load_settings(file, {"BULKHEAD_HTTP__PORT": "9001", "BULKHEAD_HTTP__HOST": "::1", "BULKHEAD_DATA": "x"})
    assert (found.folder, found.http.port, found.http.host, found.limits.burst) == ("here", 9001, "::1", 7)
    assert found.database_url == "sqlite:///here/derived.sqlite"
    url = "postgresql+psycopg://bulkhead:word@db.example/bulkhead"  # a password is not for a file
    named = {"BULKHEAD_DATABASE": url, "BULKHEAD_FOLDER": "there", "BULKHEAD_PRICES": "simulated-7"}
    found = load_settings(file, {**named, "BULKHEAD_CACHE": "another tool's"})
    assert (found.database_url, found.folder, found.prices) == (url, "there", "simulated-7")
    with pytest.raises(SettingsError, match="prot"):
        load_settings(file, {"BULKHEAD_HTTP__PROT": "9000"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "colour"),
        ("[http]\nport = 70000", "port"),
        ("[http]\nport = '80'", "port"),
        ("[limits]\nqueue_max = 0", "queue_max"),
        ("[venue]\nchain_id = 'SN_MAIN'", "chain_id"),
        ("[venue]\nchain_id = 'BH_1_abc'\n[faucet]\nenabled = true", "not a test network"),
        ("[http]\ntls_key = 'x'", "go together"),
        ("[http]\ntls_key = 'x'\ntls_certificate = 'y'", "there is no file y"),
        ("[limits]\nqueue_max = 10\nbrown_out_depth = 11", "brown_out_depth"),
        ("[settlement]\nl1 = 'chain.sqlite'", "venue.settles"),
        (SETTLES + "l1 = 'chain.sqlite'", "settlement.record"),
        (SETTLES + "l1 = 'chain.sqlite'\nrecord = 'none.json'", "there is no file none.json"),
        (SETTLES + "l1 = 'chain.sqlite'\nrecord = 'r'\nprofile = 'fast'", "'fast' is none of"),
        (SETTLES + "l1 = 'x'\nrecord = 'r'\n[faucet]\nenabled = true", "faucet_key_file"),
        (SETTLES + "confirmations = -1", "confirmations"),
        ("not toml", "node.toml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(file, {})


def test_a_faucet_where_money_is_real_is_refused_however_the_settings_came(tmp_path: Path) -> None:
    faucet = FaucetSettings(enabled=True)
    settings = Settings(folder=str(tmp_path / "node"), venue=VenueSettings(chain_id="BH_1_main"), faucet=faucet)
    with pytest.raises(SettingsError, match="its money is real"):
        open_node(settings)
    assert not (tmp_path / "node").exists()


def test_a_table_is_not_overwritten_by_a_value() -> None:
    with pytest.raises(SettingsError, match="is a value, not a table"):
        load_settings(None, {"BULKHEAD_FOLDER": "x", "BULKHEAD_FOLDER__X": "1", "BULKHEAD_FOLDER__X__Y": "1"})
