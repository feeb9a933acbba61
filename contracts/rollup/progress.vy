# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Progress
@license Apache-2.0
@notice Where the last batch left the exchange: its state, its counters, and whether it was the last for ever.
"""
import terms

state: public(uint256)
counters: public(terms.Counters)
batches: public(uint256)
frozen: public(bool)


@deploy
def __init__(state: uint256, counters: terms.Counters, batches: uint256):
    """
    @notice Where the exchange begins.
    """
    self.state = state
    self.counters = counters
    self.batches = batches
