# pragma version 0.4.3
"""
@title Greedy
@license Apache-2.0
@notice A caller that, when it is paid, makes one more call of its owner's choice, and remembers whether that was done.
"""
target: address
calldata: Bytes[1024]
was_paid: public(uint256)
got_through: public(uint256)


@external
@payable
def relay(target: address, calldata: Bytes[8192]):
    """
    @notice Make a call, with the value that comes with it.
    """
    raw_call(target, calldata, value=msg.value)


@external
def call_back(target: address, calldata: Bytes[1024]):
    """
    @notice Make this call whenever value comes in.
    """
    self.target = target
    self.calldata = calldata


@external
@payable
def __default__():
    """
    @notice Be paid.
    """
    self.was_paid += 1
    if raw_call(self.target, self.calldata, revert_on_failure=False):
        self.got_through += 1
