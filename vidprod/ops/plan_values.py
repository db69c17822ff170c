"""Values of a plan that JSON holds and a person may have edited: each is checked, and named where it is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vidprod.errors import InvalidParameter, shown


class Entry:
    """An object of a plan, whose values are asked for one by one.

    Args:
        value: what JSON holds.
        name: what messages call it, such as "shots[3]"; empty for the plan itself.
        required: keys that it must have.
        optional: keys that it may have.

    Raises:
        InvalidParameter: it is no object, lacks a key, or has an unknown one.
    """

    def __init__(self, value: Any, name: str, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        what = name or "the plan"
        if not isinstance(value, Mapping):
            raise InvalidParameter(f"{what} is {shown(value)}, must be an object with {', '.join(required)}")
        if unknown := sorted(str(key) for key in value if key not in {*required, *optional}):
            raise InvalidParameter(
                f"{what} has {shown(unknown[0])}, which is not one of {', '.join((*required, *optional))}"
            )
        if missing := [key for key in required if key not in value]:
            raise InvalidParameter(f"{what} has no {missing[0]}; it must have {', '.join(required)}")
        self.name = name
        self._value = value

    def __contains__(self, key: str) -> bool:
        return key in self._value

    def called(self, key: str) -> str:
        """What messages call one of its values."""
        return f"{self.name}.{key}" if self.name else key

    def get(self, key: str, default: Any = None) -> Any:
        """A value as it is."""
        return self._value.get(key, default)

    def seconds(self, key: str, default: float = 0.0, *, most: float = 1e9) -> float:
        """A time."""
        return number(self.get(key, default), self.called(key), 0, most, "seconds")

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number in a range."""
        return number(self.get(key, default), self.called(key), low, high, "a number")

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        """A whole number in a range."""
        return whole(self.get(key, default), self.called(key), low, high)

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        value = self.get(key, default)
        if not isinstance(value, str):
            raise InvalidParameter(f"{self.called(key)} is {shown(value)}, must be a text")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of some words."""
        value = self.get(key, default)
        if not isinstance(value, str) or value not in choices:
            raise InvalidParameter(f"{self.called(key)} is {shown(value)}, must be one of {', '.join(choices)}")
        return value

    def numbers(self, key: str, count: int, low: float, high: float, default: Sequence[float]) -> tuple[float, ...]:
        """So many numbers in a range."""
        value = self.get(key, default)
        if not isinstance(value, list | tuple) or len(value) != count:
            raise InvalidParameter(f"{self.called(key)} is {shown(value)}, must be a list of {count} numbers")
        return tuple(number(one, f"{self.called(key)}[{i}]", low, high, "a number") for i, one in enumerate(value))

    def rising(self, key: str) -> tuple[float, ...]:
        """A list of times, each later than the one before; may be absent."""
        times = [number(one, name, 0, 1e9, "seconds") for name, one in self.listed(key)]
        for at in range(1, len(times)):
            if times[at] <= times[at - 1]:
                raise InvalidParameter(
                    f"{self.called(key)}[{at}] is {times[at]:g}, must be later than the one before, {times[at - 1]:g}"
                )
        return tuple(times)

    def listed(self, key: str, *, least: int = 0) -> list[tuple[str, Any]]:
        """The members of a list, and what messages call each; may be absent."""
        value = self.get(key, [])
        if not isinstance(value, list | tuple):
            raise InvalidParameter(f"{self.called(key)} is {shown(value)}, must be a list")
        if len(value) < least:
            raise InvalidParameter(f"{self.called(key)} is {shown(value)}, must hold at least {least}")
        return [(f"{self.called(key)}[{i}]", one) for i, one in enumerate(value)]

    def entries(
        self, key: str, required: Sequence[str], optional: Sequence[str] = (), *, least: int = 0
    ) -> list[Entry]:
        """The members of a list of objects; may be absent."""
        return [Entry(one, name, required, optional) for name, one in self.listed(key, least=least)]


def number(value: Any, name: str, low: float, high: float, what: str) -> float:
    """A number in a range."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        limits = "" if what == "seconds" and (low, high) == (0, 1e9) else f" from {low:g} to {high:g}"
        raise InvalidParameter(f"{name} is {shown(value)}, must be {what}{limits}")
    return float(value)


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number in a range."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidParameter(f"{name} is {shown(value)}, must be a whole number from {low} to {high}")
    return value
