"""A contract at an address, through its ABI: what it answers, what to send it, what it told in its logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from eth_abi.abi import decode, encode
from eth_abi.exceptions import EncodingError
from eth_account.signers.local import LocalAccount
from eth_typing import ABIEvent, ABIFunction
from eth_utils.abi import (
    collapse_if_tuple,
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
    get_abi_input_types,
    get_abi_output_types,
)
from eth_utils.address import to_checksum_address

from bulkhead.bridge.chain import LATEST, Chain, Log, Receipt, Tag
from bulkhead.bridge.errors import UNREADABLE, ChainError


class AbiError(ChainError):
    """An ABI that has no such function or event, or arguments and answers that do not fit it."""


class Event(NamedTuple):
    """What a contract told: the event's name, its values by name, and the log it came in."""

    name: str
    values: dict[str, Any]
    log: Log


class Contract:
    """One contract. Values are as in the ABI: integers, booleans, addresses with their checksum, bytes, tuples."""

    def __init__(self, chain: Chain, address: str, abi: Sequence[Mapping[str, Any]]) -> None:
        self.chain, self.address, self.abi = chain, address, abi
        # A function with defaults is there several times: under its name and the number of its arguments.
        self._functions: dict[str, dict[int, ABIFunction]] = {}
        self._events: dict[bytes, ABIEvent] = {}
        for entry in abi:
            if entry["type"] == "function":
                found = self._functions.setdefault(entry["name"], {})
                found[len(entry["inputs"])] = cast(ABIFunction, entry)
            elif entry["type"] == "event":
                event = cast(ABIEvent, entry)
                self._events[bytes(event_abi_to_log_topic(event))] = event

    def has(self, name: str) -> bool:
        """Whether it has a function of this name."""
        return name in self._functions

    def data(self, name: str, *arguments: Any) -> bytes:
        """Calldata of a function. AbiError when there is none, or the arguments do not fit."""
        entry = self._function(name, len(arguments))
        try:
            return function_abi_to_4byte_selector(entry) + encode(get_abi_input_types(entry), arguments)
        except (EncodingError, TypeError, ValueError, OverflowError) as error:
            raise AbiError(f"{name}: {error}") from error

    def call(self, name: str, *arguments: Any, sender: str | None = None, at: Tag = LATEST) -> Any:
        """What a function answers: one value, a tuple of several, None of none. Reverted when it refuses."""
        entry = self._function(name, len(arguments))
        answer = self.chain.call(self.address, self.data(name, *arguments), sender=sender, at=at)
        types = get_abi_output_types(entry)
        try:
            values = tuple(map(_read, entry["outputs"], decode(types, answer)))
        except UNREADABLE as error:
            raise AbiError(f"{name} of {self.address} answers with something else: {error}") from error
        return values if len(types) > 1 else values[0] if types else None

    def transact(
        self,
        signer: LocalAccount,
        name: str,
        *arguments: Any,
        value: int = 0,
        gas: int | None = None,
        timeout_s: float = 120,
    ) -> Receipt:
        """Send a call as a transaction, with so many wei, and wait for it. Reverted when the contract refuses."""
        data = self.data(name, *arguments)
        return self.chain.transact(signer, self.address, data, value=value, gas=gas, timeout_s=timeout_s)

    def topic(self, event: str) -> bytes:
        """The first topic of an event's logs."""
        for topic, entry in self._events.items():
            if entry["name"] == event:
                return topic
        raise AbiError(f"no event {event} in the ABI of {self.address}")

    def events(self, first: int, last: int, *names: str) -> list[Event]:
        """What the contract told in blocks `first` to `last`, in order; events of these names, or all."""
        topics = [[self.topic(name) for name in names]] if names else []
        return self.read(self.chain.logs([self.address], first, last, topics))

    def read(self, logs: Sequence[Log]) -> list[Event]:
        """Those of the logs that are this contract's, read."""
        return [
            self._event(log)
            for log in logs
            if log.address.lower() == self.address.lower() and log.topics and log.topics[0] in self._events
        ]

    def _event(self, log: Log) -> Event:
        entry = self._events[log.topics[0]]
        inputs = entry["inputs"]
        indexed = [each for each in inputs if each.get("indexed")]
        plain = [each for each in inputs if not each.get("indexed")]
        try:
            values = {
                each["name"]: _read(each, decode([each["type"]], topic)[0])
                for each, topic in zip(indexed, log.topics[1:], strict=True)
            }
            told = map(_read, plain, decode([collapse_if_tuple(dict(each)) for each in plain], log.data))
        except UNREADABLE as error:
            raise AbiError(f"a log of {self.address} is no {entry['name']}: {error}") from error
        values |= {each["name"]: value for each, value in zip(plain, told, strict=True)}
        return Event(entry["name"], values, log)

    def _function(self, name: str, count: int) -> ABIFunction:
        found = self._functions.get(name, {}).get(count)
        if found is None:
            known = sorted(self._functions.get(name, {}))
            hint = f"it takes {' or '.join(map(str, known))}" if known else f"there are {', '.join(self._functions)}"
            raise AbiError(f"no function {name} with {count} arguments at {self.address}: {hint}")
        return found


def _read(entry: Mapping[str, Any], value: Any) -> Any:
    """A value of the ABI's decoder, with every address in it as everywhere else: with its checksum."""
    kind = str(entry["type"])
    if kind.endswith("]"):
        one = {**entry, "type": kind[: kind.rindex("[")]}
        return tuple(_read(one, each) for each in value)
    if kind == "tuple":
        return tuple(map(_read, entry["components"], value))
    return to_checksum_address(value) if kind == "address" else value


def constructor_inputs(abi: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What a contract is deployed with, in order."""
    return next((list(entry["inputs"]) for entry in abi if entry["type"] == "constructor"), [])


def encode_arguments(inputs: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> bytes:
    """Arguments of a constructor as they follow the code. AbiError when they do not fit."""
    entry = cast(ABIFunction, {"type": "function", "name": "constructor", "inputs": list(inputs), "outputs": []})
    try:
        return encode(get_abi_input_types(entry), values)
    except (EncodingError, TypeError, ValueError, OverflowError) as error:
        raise AbiError(f"arguments of a constructor: {error}") from error
