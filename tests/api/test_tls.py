"""TLS by two settings: whoever trusts the certificate is served, by REST and on streams; without it nobody is."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.sync.client import connect

from bulkhead.node.settings import HttpSettings, SettingsError
from tests.api.live import Fixed, Live, settings_for
from tests.api.remote import Remote


def certificate(folder: Path, address: str = "127.0.0.1", hours: int = 1) -> tuple[Path, Path]:
    """A key and a certificate of an address that it signed itself, good for some hours; below zero: until then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a venue under test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(hours=hours))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return files


def test_rest_and_streams_over_tls_are_for_whoever_trusts_the_certificate(tmp_path: Path) -> None:
    public, secret = certificate(tmp_path)
    settings = msgspec.structs.replace(
        settings_for(tmp_path / "node"),
        http=HttpSettings(port=0, tls_certificate=str(public), tls_key=str(secret)),
    )
    trusting = ssl.create_default_context(cafile=str(public))
    live = Live(settings, Fixed())
    try:
        assert live.url.startswith("https://")
        with httpx.Client(verify=trusting) as client:
            assert client.get(f"{live.url}/api/v1/info/markets").json()["status"] == "OK"
        with httpx.Client() as stranger, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            stranger.get(f"{live.url}/api/v1/info/markets")
        with httpx.Client() as plain, pytest.raises(httpx.TransportError):
            plain.get(f"http{live.url.removeprefix('https')}/api/v1/info/markets")
        url = f"wss{live.url.removeprefix('https')}/stream.extended.exchange/v1/orderbooks/BTC-USD"
        with connect(url, ssl=trusting) as stream:
            assert json.loads(stream.recv(timeout=10))["type"] == "SNAPSHOT"
    finally:
        live.stop()


def test_files_that_are_no_certificate_and_key_are_told_before_anything_listens(tmp_path: Path) -> None:
    public, secret = certificate(tmp_path)
    for one, other in ((secret, public), (public, public), (tmp_path / "empty", secret)):
        (tmp_path / "empty").write_bytes(b"")
        http = HttpSettings(port=0, tls_certificate=str(one), tls_key=str(other))
        settings = msgspec.structs.replace(settings_for(tmp_path / "node"), http=http)
        with pytest.raises(SettingsError, match="no certificate in PEM with its key"):
            Live(settings, Fixed())


def test_a_node_takes_them_as_options(tmp_path: Path) -> None:
    public, secret = certificate(tmp_path)
    remote = Remote(tmp_path, options=("--tls-certificate", str(public), "--tls-key", str(secret)))
    try:
        assert remote.url.startswith("https://")
        with httpx.Client(verify=ssl.create_default_context(cafile=str(public))) as client:
            assert client.get(f"{remote.url}/health").json()["status"] == "OK"
    finally:
        assert remote.stop() == 0
