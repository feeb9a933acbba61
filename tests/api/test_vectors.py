"""The wire contract's own vectors: bodies in, hashes and amounts out; keys and messages of onboarding."""

from eth_account import Account as Ethereum
from eth_account.messages import encode_defunct

from bulkhead.api.bodies import AccountCreation, NewOrder, Settlement, SignatureBody
from bulkhead.api.numbers import Wire, decimal, scaled
from bulkhead.api.onboarding import registration_message, signer_of
from bulkhead.api.signed import Priced, felt, signed_order
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.defaults import MARKETS, default_config
from bulkhead.signing import onboarding_hash, private_key_from_ethereum, public_key, verify
from bulkhead.units import Felt

KEY = 0x4838C4ED86F1C9B4FE1AAC884AC79431B0243B79D9E24500EB0F6229F4FE72A
BTC = Wire(MARKETS[0], 6)
OWNER = Ethereum.from_key(bytes([0x11]) * 32)
TIME = "2026-11-22T10:00:00Z"
REGISTRATION = (
    "cc44d5ff417656499be4bea23187cc5ff89308869d5673e047b774d9a37d43c7049d33733f57b9f0f650389b0a8883d924fef355584282"
    "58d7838c2da4284fd81b"
)
SUBACCOUNT = (
    "756bc9b836449462522457f80c0a3e600d9cae36d2ae317027578fb6ddae500005e0475be0fbe18397aa84dc4d58fa24fe8422c4d20067c0"
    "4060920ae1bdc2521b"
)
API_KEY = (
    "3fcfda87bab04b2681333c697db89d63545cb590ef60e9fbb1b9c79b32bf165c61964ba82bf7c5ff7558e25936a1b775c76de07845bd356c5"
    "cbc2e3cb358f9451c"
)


def hash_of(body: NewOrder, is_buy: bool) -> tuple[tuple[int, ...], int]:
    assert body.settlement is not None and body.price is not None
    priced = Priced(is_buy, decimal(body.quantity, "qty"), decimal(body.price, "price"))
    signed = signed_order(BTC, 1_000_000, priced, body, body.settlement)
    config = default_config((Felt(2),), Felt(3), chain_id="SN_OURS")
    message = Authority(config, verify=False).order_hash(signed.order)
    assert verify(KEY, message, *signed.order.signature)
    return (*signed.amounts, int(signed.order.expiration_s)), message


def body_of(side: str, fee: str, nonce: str, r: str, s: str, builder: str | None = None) -> NewOrder:
    settlement = Settlement(
        signature=SignatureBody(r=r, s=s), stark_key=hex(KEY), collateral_position="10002"
    )
    return NewOrder(
        id="x", market="BTC-USD", type="LIMIT", side=side, quantity="0.01234", price="98765",  # type: ignore[arg-type]
        expiry_epoch_millis=1_796_126_400_000, fee=fee, nonce=nonce, settlement=settlement, builder_fee=builder,
    )  # fmt: skip


def test_a_buy_hashes_as_the_client_libraries_hash_it() -> None:
    for r, s in (
        ("0x5beefd6de313e0128c4767304b4db4b7173adf58c03722d4cecf64430f4d118",
         "0x2b6a84fbb0f2336b32c1be0f8d62b48fbf70d929502190a8bc5266cdaff743f"),
        ("0x6c2fcd55aadab0fada7dc66eb9f37a1779c62399d1af470e1c8b0d29eefb962",
         "0x24cde084cdc2f27ab1e65d26232c9498a6b58e7242cb19875b16896d655960f"),
    ):  # fmt: skip
        amounts, message = hash_of(body_of("BUY", "0.0005", "123456789", r, s), True)
        assert amounts == (12_340, -1_218_760_100, 609_381, 1_797_336_000)
        assert message == 0x1EC2517F89373F46ECF80ACC3A61BB660A7AB62D91DBF95437758C35C6E00E


def test_a_sale_with_a_builders_fee_hashes_as_the_client_libraries_hash_it() -> None:
    r = "0x2cf1624239729fbf67d8a8f8b0306ae528d8217922f9664c1e27d1acc20da0e"
    s = "0x5b64b98810a973b1f8342b0c5c4d78478eb8dad12f5e36f98709c74183bcfef"
    amounts, message = hash_of(body_of("SELL", "0.00025", "123456790", r, s, "0.0001"), False)
    assert amounts == (-12_340, 1_218_760_100, 426_567, 1_797_336_000)
    assert message == 0x42AD777B59D5293ED95DE3FD100959F4F40904E456FA96D2E73EA532CA3452D


def test_onboarding_reads_the_messages_that_wallets_sign() -> None:
    creation = AccountCreation(
        account_index=0, wallet=OWNER.address, tos_accepted=True, time=TIME, action="REGISTER",
        host="http://127.0.0.1:18771",
    )  # fmt: skip
    message = registration_message("ours.example", creation)
    for text in (REGISTRATION, "0x" + REGISTRATION):
        assert signer_of(message, text) == OWNER.address.lower()
    assert OWNER.sign_message(message).signature.hex().removeprefix("0x") == REGISTRATION
    for path, text in (("/auth/onboard/subaccount", SUBACCOUNT), ("/api/v1/user/account/api-key", API_KEY)):
        assert signer_of(encode_defunct(text=f"{path}@{TIME}"), text) == OWNER.address.lower()
        assert signer_of(encode_defunct(text=f"{path}@2026-11-22T10:00:01Z"), text) != OWNER.address.lower()


def test_a_stark_key_agrees_by_signing_the_wallet_and_itself() -> None:
    account_creation = (
        "417a7153b187e7576d55a197e02a5d2949caa76611c179f5b4ed9194159ca7a64f61b0779cdb3855f36c7b19f37cbd363d9ecc7a659f60"
        "cdf5d44598cfa98d5e1b"
    )
    key = public_key(private_key_from_ethereum(account_creation))
    assert key == 0x37BD5F1E9D839402EE1F2AADBB78E1625E2BE22B06E0D1E1575CB03A630EFE1
    message = onboarding_hash(int(OWNER.address, 16), key)
    assert message == 0xD2025DBE6C96CB270C3332761A06ADE8B6BA813419924626EC225A45E99E57
    r = 0x4ACA3F9135BC6224E42E8EE13DB9280AA4A5E3A21F279A373D724B3511B4B09
    s = 0x7A3633AB6329433CB0483849978647B6E57912A85A7869D2B93B932FD9F99CE
    assert verify(key, message, r, s)


def test_numbers_are_printed_exactly() -> None:
    assert [scaled(value, 6) for value in (0, 1, -1, 10, 1_000_000, -1_500_000, 123_456_789)] == [
        "0", "0.000001", "-0.000001", "0.00001", "1", "-1.5", "123.456789",
    ]  # fmt: skip
    assert (BTC.price(98_765), BTC.size(12_340), BTC.average(1_218_760_100, 12_340)) == ("98765", "0.01234", "98765")
    assert BTC.index_price(98_765 << 32) == "98765"
    assert felt("0x00ff", "x") == 255
