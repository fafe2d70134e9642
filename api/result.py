"""Result: a value or an error, as a value.

Exceptions are for the caller that can act on a fault where it happens. Where an outcome travels first,
through a ring, a batch or a future, it travels as a ``Result``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Success(Generic[T]):
    """The call returned ``value``."""

    value: T

    def unwrap(self) -> T:
        """Return the value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Failure:
    """The call raised ``error``."""

    error: BaseException

    def unwrap(self) -> object:
        """Raise the error."""
        raise self.error


Result: TypeAlias = "Success[T] | Failure"
"""Match on the class, or call ``unwrap`` to get the value or raise the error."""

__all__ = ["Failure", "Result", "Success"]
