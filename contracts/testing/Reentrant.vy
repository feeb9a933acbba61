# pragma version 0.4.3
"""
@title Reentrant
@license Apache-2.0
@notice A token that makes one call of its owner's choice in the middle of every transfer, and fails as that call does.
"""
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
target: address
calldata: Bytes[4096]


@external
def mint(holder: address, amount: uint256):
    """
    @notice New units for a holder.
    """
    self.balanceOf[holder] += amount


@external
def call_back(target: address, calldata: Bytes[4096]):
    """
    @notice Call this from the next transfer on; the zero address is not called.
    """
    self.target = target
    self.calldata = calldata


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let a spender move up to this amount.
    """
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(recipient: address, amount: uint256) -> bool:
    """
    @notice Move the caller's units.
    """
    self._move(msg.sender, recipient, amount)
    return True


@external
def transferFrom(holder: address, recipient: address, amount: uint256) -> bool:
    """
    @notice Move a holder's units, with his leave.
    """
    self.allowance[holder][msg.sender] -= amount
    self._move(holder, recipient, amount)
    return True


@internal
def _move(holder: address, recipient: address, amount: uint256):
    self.balanceOf[holder] -= amount
    if self.target != empty(address):
        raw_call(self.target, self.calldata)
    self.balanceOf[recipient] += amount
