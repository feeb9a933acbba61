"""A message is sent until it is known what became of it; the exchange takes it once, however often it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bulkhead.client.clock import ExchangeClock
from bulkhead.client.errors import ClientError, NoAnswer, OtherExchange, RateLimited, Refused, Unreachable

PAUSES_S = (0.2, 1.0, 3.0)  # before a message that nothing was heard of is asked for and sent again
LOOK_S = 0.5
Answer = TypeVar("Answer")
Send = Callable[[], Awaitable[Answer]]
Find = Callable[[], Awaitable[Answer | None]]


async def once(
    clock: ExchangeClock, send: Send[Answer], find: Find[Answer], is_taken: Callable[[Refused], bool]
) -> Answer:
    """Send the same message until it is answered. `find` looks for what it did, None where that is not found;
    `is_taken` knows the refusal of one that was taken before.

    A refusal is believed when no earlier copy can come in any more. Raises it, or Unreachable where nothing is heard in
    the end: then the message may still be done until `until_ms`.
    """
    try:
        return await send()
    except NoAnswer as error:
        problem, until_ms = error, error.until_ms
    except Refused as error:
        if error.status != 503:  # of a node whose disk has failed nobody knows what it had taken
            raise
        problem, until_ms = Unreachable(str(error)), 0
    for pause_s in PAUSES_S:
        await asyncio.sleep(pause_s)
        try:
            found = await find()
            return await send() if found is None else found
        except NoAnswer as error:
            problem, until_ms = error, max(until_ms, error.until_ms)
        except OtherExchange as error:  # what became of it, only the one that it was sent to can say
            problem = Unreachable(f"no answer, and then {error.what}")
        except Refused as error:
            if error.status == 503:
                problem = Unreachable(str(error))
            elif is_taken(error):
                problem = Unreachable(f"it came in late ({error}); asking for it again")
            else:
                return await _fate(clock, find, error, until_ms)
    raise Unreachable(f"no answer that can be read: {problem}", until_ms) from problem


async def counted(clock: ExchangeClock, send: Send[Answer], *, taken: int, done: Answer) -> Answer:
    """The same for what has no name to look for: it is looked for by sending it again. `taken` is the code of
    the refusal of what was taken before; the answer is then `done`."""

    def is_taken(error: Refused) -> bool:
        return error.code == taken

    async def find() -> Answer | None:
        try:
            return await send()
        except RateLimited:
            raise
        except Refused as error:
            return done if is_taken(error) else None

    return await once(clock, send, find, is_taken)


async def _fate(clock: ExchangeClock, find: Find[Answer], refusal: Refused, until_ms: int) -> Answer:
    """A copy was refused and an earlier one has had no answer: it is looked for until it can come in no more."""
    while True:
        is_past = not until_ms or clock.is_past(until_ms)
        try:
            found = await find()
        except RateLimited as error:
            await asyncio.sleep(error.retry_s)
            continue
        except NoAnswer as error:
            raise Unreachable(f"{error}; a copy was refused: {refusal}", until_ms) from error
        except OtherExchange as error:
            raise Unreachable(f"no answer, and then {error.what}", until_ms) from error
        except ClientError:
            raise refusal from None
        if found is not None:
            return found
        if is_past:
            raise refusal
        await asyncio.sleep(LOOK_S)
