# pragma version 0.4.3
"""
@title Believer
@license Apache-2.0
@notice For tests: a verifier that takes every statement for proven, and publishes any page.
"""
import shape


event Published:
    digest: indexed(bytes32)


@external
@pure
def is_proven(digest: bytes32) -> bool:
    """
    @notice Yes.
    @param digest Of any statement.
    @return Always true.
    """
    return True


@external
def publish(claim: uint256[shape.CLAIM], page: uint256, listed: Bytes[shape.PAGE_BYTES]) -> bool:
    """
    @notice Publish bytes, whatever the claim is.
    @param claim Anything.
    @param page Any number.
    @param listed What is published.
    @return Always true.
    """
    log Published(digest=keccak256(listed))
    return True
