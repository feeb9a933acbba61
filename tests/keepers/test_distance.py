"""How far markets must move until a margin call: where the keepers themselves would call, to a basis point."""

from __future__ import annotations

import pytest

from bulkhead.fixed import FRACTION_BITS, basis_points
from bulkhead.keepers.condition import is_used
from bulkhead.keepers.distance import LEVELS, distances
from bulkhead.ledger.accounts import health_of
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.state import Account
from bulkhead.units import Price
from tests.play import Player

SCRIPT = """
register maker ok
register taker ok
register hedger ok
deposit maker 1000000 ok
deposit taker 9000 ok
deposit hedger 9000 ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
trade maker sell taker 1 BTC @ 50000 ok
trade maker sell taker 5 ETH @ 3000 ok
trade maker buy hedger 1 BTC @ 50000 ok
"""


@pytest.fixture(scope="module")
def player() -> Player:
    found = Player()
    for line in SCRIPT.strip().splitlines():
        found.play(line)
    return found


def moved(player: Player, account: Account, move_bp: int, sign: int) -> Draft:
    """Every market of an account, moved by ticks of the ledger's own kind: through `put_market`."""
    draft = Draft(player.state)
    for position in account.positions:
        market = draft.market(position.market_id)
        change = int(market.price) * sign * int(basis_points(move_bp)) >> FRACTION_BITS
        draft.put_market(market._replace(price=Price(int(market.price) + change)))
    return draft


@pytest.mark.parametrize(("name", "sign"), [("taker", -1), ("hedger", 1)])
def test_a_distance_is_the_least_move_at_which_the_level_is_used(player: Player, name: str, sign: int) -> None:
    account = player.state.accounts[player.names.account(name)]
    found = distances(Draft(player.state), account)
    assert tuple(one.level for one in found) == LEVELS == (66, 80, 100)
    for one in found:
        move_bp, other = (one.fall_bp, one.rise_bp) if sign < 0 else (one.rise_bp, one.fall_bp)
        assert move_bp is not None and move_bp > 0 and other is None
        assert is_used(health_of(moved(player, account, move_bp, sign), account), one.level)
        assert not is_used(health_of(moved(player, account, move_bp - 1, sign), account), one.level)
    assert found == sorted(found, key=lambda one: (one.fall_bp or 0) + (one.rise_bp or 0))
