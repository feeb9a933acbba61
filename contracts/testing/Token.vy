# pragma version 0.4.3
"""
@title Token
@license Apache-2.0
@notice A token for test networks: anybody mints. It can be told to keep a part of each transfer, or to charge its
        sender on top, as some tokens do.
"""
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
kept: public(uint256)
charged: public(uint256)


@external
def mint(holder: address, amount: uint256):
    """
    @notice New units for a holder.
    """
    self.balanceOf[holder] += amount


@external
def keep(amount: uint256):
    """
    @notice Keep so much of every transfer from now on.
    """
    self.kept = amount


@external
def charge(amount: uint256):
    """
    @notice Take so much more of the sender of every transfer from now on.
    """
    self.charged = amount


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
    self.balanceOf[msg.sender] -= amount + self.charged
    self.balanceOf[recipient] += amount - self.kept
    return True


@external
def transferFrom(holder: address, recipient: address, amount: uint256) -> bool:
    """
    @notice Move a holder's units, with his leave.
    """
    self.allowance[holder][msg.sender] -= amount
    self.balanceOf[holder] -= amount + self.charged
    self.balanceOf[recipient] += amount - self.kept
    return True
