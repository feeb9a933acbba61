# pragma version 0.4.3
"""
@title Silent
@license Apache-2.0
@notice A token whose transfers return nothing, as some of the largest do; told to, it returns false and moves nothing.
"""
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
refuses: bool


@external
def mint(holder: address, amount: uint256):
    """
    @notice New units for a holder.
    """
    self.balanceOf[holder] += amount


@external
def refuse():
    """
    @notice Say no from now on.
    """
    self.refuses = True


@external
def approve(spender: address, amount: uint256):
    """
    @notice Let a spender move up to this amount.
    """
    self.allowance[msg.sender][spender] = amount


@external
@raw_return
def transfer(recipient: address, amount: uint256) -> Bytes[32]:
    """
    @notice Move the caller's units.
    """
    return self._move(msg.sender, recipient, amount)


@external
@raw_return
def transferFrom(holder: address, recipient: address, amount: uint256) -> Bytes[32]:
    """
    @notice Move a holder's units, with his leave.
    """
    return self._move(holder, recipient, amount)


@internal
def _move(holder: address, recipient: address, amount: uint256) -> Bytes[32]:
    """
    @dev Nothing, or false: the bytes are returned as they are.
    """
    if self.refuses:
        return abi_encode(False)
    self.balanceOf[holder] -= amount
    self.balanceOf[recipient] += amount
    return b""
