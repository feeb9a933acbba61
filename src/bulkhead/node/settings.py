"""A node's settings: a TOML file, then the environment, checked against one schema before anything is opened.

`BULKHEAD_HTTP__PORT=9000` sets `port` of the table `[http]`, `BULKHEAD_DATABASE` what stands before all tables; a value
is read as TOML where it is TOML, else as text. What is unknown is refused by its name, so that a misspelt limit is
never silently the default. Without `__`, other names that begin so are other tools'.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from stark.parameters import PROFILES

PREFIX = "BULKHEAD_"
TEST_CHAINS = ("1337", "31337", "11155111", "17000", "560048")
"""Chain ids where money is play money: local ones, Sepolia, Holesky, Hoodi. Only there is a faucet."""

SHAPE_NAMES = ("small", "middle", "large")  # as `circuit.batch` has them, which takes seconds to import

Port = Annotated[int, Meta(ge=0, le=65_535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class SettingsError(Exception):
    """Settings that no node may run on; the text names the place and what it must be."""


class VenueSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What the exchange begins with. Of an exchange that exists, these must be what it began with."""

    chain_id: str = "BH_1337_local"
    oracle_signers: Annotated[int, Meta(ge=1, le=16)] = 3
    settles: bool = False  # on L1 with proofs: then accounts onboard with a registration that a circuit can check


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the interface listens. TLS is on when both files are named. CORS is closed unless origins are."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""  # how clients reach it, as they sign it when they onboard; empty: any is taken
    tls_certificate: str = ""
    tls_key: str = ""
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()  # addresses whose X-Forwarded-For is believed
    signing_domain: str = "bulkhead.local"  # the name in onboarding messages


class LimitSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What one client, and all together, may ask."""

    requests_per_minute: Positive = 1_000  # of one API key, or of one address without a key
    burst: Positive = 500
    queue_max: Positive = 4_000  # commands that wait for the writer; then 429
    brown_out_depth: Positive = 3_000  # from here on only cancels and reduce-only orders are taken
    brown_out_batches: Annotated[int, Meta(ge=0)] = 0  # the same when more sealed batches have no proof; 0: never
    body_bytes: Positive = 65_536
    connections_of_address: Positive = 4_000  # over HTTP, streams apart; proxies that are trusted are not counted
    api_keys_per_account: Positive = 20


class StreamSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """WebSockets. A client is dropped when it answers no ping, or when so much waits for it to be read."""

    ping_s: Seconds = 15.0
    pong_s: Seconds = 30.0  # some clients open a second socket and read it late: patience costs little
    queue_bytes: Positive = 1_048_576  # of one connection: the snapshot of a deep book, or a minute of a busy one
    connections: Positive = 9_000
    connections_of_address: Positive = 4_000


class ClockSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Ticks, batches and snapshots."""

    interval_s: Seconds = 1.0
    batch_s: Seconds = 60.0
    batch_transactions: Positive = 1_500
    snapshot_commands: Positive = 200_000


class FaucetSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Play money: so many dollars a claim, so often. Impossible on a chain that is not a test network."""

    enabled: bool = False
    dollars: Positive = 10_000
    pause_s: Annotated[float, Meta(ge=0)] = 60.0


class SettlementSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where batches settle: the node then proves them, in processes of its own, and takes the proofs to L1."""

    l1: str = ""  # a node's URL, or the file of an embedded chain; empty: nothing is proven or settled here
    record: str = ""  # the record of the deployment, as `bulkhead l1 deploy` writes it
    key_file: str = ""  # the private key that pays; empty: beside an embedded chain
    profile: str = "onchain"  # of the proofs: what the verifiers on L1 take
    shapes: tuple[str, ...] = ()  # that batches may have, each with a verifier on L1; none named: small, middle
    confirmations: Annotated[int, Meta(ge=0)] = 0  # blocks that make it final; 0: 12 at a node, 1 on an embedded chain
    fee_max_gwei: Annotated[int, Meta(ge=0)] = 0  # for a unit of gas; 0: as L1 asks
    pause_s: Seconds = 2.0  # between looks at L1 when there is nothing to do
    workers: Positive = 1  # batches that are proven at once
    threads: Annotated[int, Meta(ge=0)] = 0  # of each; 0: the cores there are, shared
    faucet_key_file: str = ""  # a key on L1 of its own, for the faucet's deposits of the test token


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a node can be told. The defaults run a local test venue."""

    folder: str = "node"
    database: str = ""  # SQLAlchemy URL; empty: SQLite in the folder
    prices: str = "simulated-1"  # "simulated-SEED", or "live:binance,kraken"
    venue: VenueSettings = VenueSettings()
    http: HttpSettings = HttpSettings()
    limits: LimitSettings = LimitSettings()
    streams: StreamSettings = StreamSettings()
    clock: ClockSettings = ClockSettings()
    faucet: FaucetSettings = FaucetSettings()
    settlement: SettlementSettings = SettlementSettings()

    @property
    def place(self) -> Path:
        """The node's folder."""
        return Path(self.folder)

    @property
    def database_url(self) -> str:
        """Where derived tables are kept."""
        return self.database or f"sqlite:///{self.place / 'derived.sqlite'}"


def load_settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read and check. Raises SettingsError."""
    found: dict[str, Any] = {}
    if file is not None:
        try:
            found = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(f"{file}: {error}") from error
    for name, text in environment.items():
        short = name.removeprefix(PREFIX)
        if short != name and ("__" in short or short.lower() in ("folder", "database", "prices")):
            _set(found, name, text)
    try:
        settings = msgspec.convert(found, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{file or 'environment'}: {error}") from error
    return check_settings(settings)


def check_settings(settings: Settings) -> Settings:
    """Refuse what the schema alone cannot see."""
    chain = settings.venue.chain_id.split("_")
    if len(chain) < 3 or chain[0] != "BH" or not chain[1].isdigit():
        raise SettingsError(f"venue.chain_id must be BH_<chain>_<rollup>, not {settings.venue.chain_id!r}")
    if settings.faucet.enabled and chain[1] not in TEST_CHAINS:
        raise SettingsError(f"faucet.enabled: chain {chain[1]} is not a test network, and its money is real")
    if bool(settings.http.tls_certificate) != bool(settings.http.tls_key):
        raise SettingsError("http.tls_certificate and http.tls_key go together")
    _check_files("http", settings.http, ("tls_certificate", "tls_key"))
    _check_settlement(settings)
    if settings.limits.brown_out_depth > settings.limits.queue_max:
        raise SettingsError("limits.brown_out_depth must not be above limits.queue_max")
    return settings


def _check_settlement(settings: Settings) -> None:
    """What settling asks of the other tables."""
    settlement = settings.settlement
    if not settlement.l1:
        return
    if not settings.venue.settles:
        raise SettingsError("settlement.l1 needs venue.settles = true: only such a venue's batches can be proven")
    if not settlement.record:
        raise SettingsError("settlement.l1 needs settlement.record, the file that `bulkhead l1 deploy` writes")
    if settlement.profile not in PROFILES:
        raise SettingsError(f"settlement.profile: {settlement.profile!r} is none of {', '.join(PROFILES)}")
    for name in settlement.shapes:
        if name not in SHAPE_NAMES:
            raise SettingsError(f"settlement.shapes: {name!r} is none of {', '.join(SHAPE_NAMES)}")
    if settings.faucet.enabled and not settlement.faucet_key_file:
        raise SettingsError(
            "faucet.enabled needs settlement.faucet_key_file here: what it gives must be deposited on L1, by another "
            "account than the one that settles"
        )
    _check_files("settlement", settlement, ("record", "key_file", "faucet_key_file"))


def _check_files(table: str, settings: Struct, names: tuple[str, ...]) -> None:
    for name in names:
        file = getattr(settings, name)
        if file and not Path(file).is_file():
            raise SettingsError(f"{table}.{name}: there is no file {file}")


def _set(found: dict[str, Any], name: str, text: str) -> None:
    """Put one variable of the environment in its place."""
    *tables, last = name.removeprefix(PREFIX).lower().split("__")
    place = found
    for table in tables:
        inner = place.setdefault(table, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"{name}: {table} is a value, not a table")
        place = inner
    try:
        place[last] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        place[last] = text
