"""Following a feed for as long as it is wanted: begun again after every failure, with the reason kept to be shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from bulkhead.client import ClientError
from bulkhead.client.feeds import Queue

AGAIN_S = 1.0
Item = TypeVar("Item")
log = structlog.get_logger(__name__)


async def follow(
    name: str, begin: Callable[[], Awaitable[Queue[Item]]], take: Callable[[Item], None], failed: Callable[[str], None]
) -> None:
    """Take every item of a feed, for ever. `failed` is told why a feed ended, and "" when it goes on."""
    while True:
        feed: Queue[Item] | None = None
        try:
            feed = await begin()
            failed("")
            async for item in feed:
                take(item)
        except ClientError as error:
            failed(str(error))
            log.warning("a feed ended, and is begun again", feed=name, reason=str(error))
            if feed is not None:
                await feed.stop()
            await asyncio.sleep(AGAIN_S)


async def again(name: str, interval_s: float, ask: Callable[[], Awaitable[None]]) -> None:
    """Ask again and again; a failure is passed over, for what was asked keeps its age."""
    while True:
        try:
            await ask()
        except ClientError as error:
            log.debug("not answered", what=name, reason=str(error))
        await asyncio.sleep(interval_s)
