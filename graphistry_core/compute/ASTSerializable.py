"""What every part of a query can do: check itself, become JSON, come from it. Imports exceptions of this package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from .exceptions import ErrorCode, GFQLTypeError, GFQLValidationError


class ASTSerializable:
    """A part of a query: its class's name is the JSON's ``type``, its public attributes are the other keys."""

    reserved_fields: ClassVar[list[str]] = ["type"]

    def validate(self, collect_all: bool = False) -> list[GFQLValidationError] | None:
        """Raise the first GFQLValidationError of this part and those in it; ``collect_all`` returns all of them."""
        found: list[GFQLValidationError] = []
        for error in self._faults():
            if not collect_all:
                raise error
            found.append(error)
        for child in self._get_child_validators():
            found += child.validate(collect_all) or []
        return found if collect_all else None

    def _faults(self) -> Iterator[GFQLValidationError]:
        """Yield what is wrong with the part itself: the first that :meth:`_validate_fields` finds, or more."""
        try:
            self._validate_fields()
        except GFQLValidationError as e:
            yield e

    def _validate_fields(self) -> None:
        pass

    def _get_child_validators(self) -> Sequence[ASTSerializable]:
        return []

    def to_json(self, validate: bool = True) -> dict[str, Any]:
        """Return the part as JSON."""
        if validate:
            self.validate()
        kept = {key: value for key, value in self.__dict__.items() if key not in self.reserved_fields}
        return {"type": type(self).__name__, **kept}

    @classmethod
    def from_json(cls, d: dict[str, Any], validate: bool = True) -> Any:
        """Return the part that a JSON object describes."""
        made = cls(**{key: value for key, value in d.items() if key not in cls.reserved_fields})
        if validate:
            made.validate()
        return made

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = object.__hash__


def expect(
    value: Any, kinds: Any, field: str, what: str, code: str = ErrorCode.E201, suggestion: str | None = None
) -> None:
    """Raise GFQLTypeError unless a value is of these types."""
    if not isinstance(value, kinds):
        raise GFQLTypeError(code, f"{field} must be {what}", field=field, value=type(value).__name__,
                            suggestion=suggestion)  # fmt: skip


def is_json(value: Any) -> bool:
    """Say whether JSON has a form for a value."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
