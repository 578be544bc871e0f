"""What to do about a payload that is not as it should be. Imports errors and frames only."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadRequest, warn_user
from .frames import Validate, validation


@dataclass(frozen=True)
class Findings:
    """Where findings go under PyGraphistry's ``validate`` and ``warn``: raised, told as a warning, or passed over.

    Whoever reports one under 'autofix' goes on without the part that is wrong.
    """

    strict: bool
    warn: bool

    @classmethod
    def under(cls, validate: Validate, warn: bool) -> Findings:
        """Return where findings go; raise BadRequest for an unknown ``validate``."""
        return cls(*validation(validate, warn))

    def add(self, finding: str | BadRequest) -> None:
        """Report one: raise it under 'strict', else warn (RuntimeWarning, as PyGraphistry), unless ``warn`` is off."""
        if self.strict:
            raise finding if isinstance(finding, BadRequest) else BadRequest(finding)
        if self.warn:
            warn_user(str(finding), RuntimeWarning)
