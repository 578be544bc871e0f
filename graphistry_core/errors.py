"""Every error of the project, one tree.

::

    GraphistryError
    ├── BadRequest (ValueError)          400  the caller's input is wrong
    │   ├── BindingError                 400  a bound column is missing, or nothing is bound
    │   ├── InvalidTable                 400  not a table, or one that cannot be stored
    │   │   └── ArrowConversionError     400  mixed-type columns under validate='strict'
    │   └── EngineUnavailable            400  an engine was named that does not work here
    ├── NotAuthenticated                 401  no token, or one that is not valid
    │   └── TokenExpired                 401
    │       └── RefreshFailed (ValueError)    no fresher token, and no credentials to get one with
    ├── InvalidCredentials               400  a login the server refuses (the status DRF-JWT uses)
    ├── AccessDenied                     403  the token is fine, the right is missing
    ├── NotFound                         404  dataset, file or route; also what is not yours to see
    ├── MethodNotAllowed                 405
    ├── TooLarge                         413  the body is over the server's limit
    ├── NotImplementedHere               501  valid for Graphistry, not (yet) for this project
    ├── ServerError                      500  the server's own fault
    │   └── StorageUnavailable           503  the object storage that holds the data does not do what it should
    ├── ServerUnreachable (ConnectionError)   no answer at all
    ├── MalformedAnswer                       an answer that is not what the protocol says
    ├── MissingDependency (ImportError)       an optional library is not installed
    ├── ConfigError (ValueError)              a setting that cannot be used
    ├── SsoError                              an SSO login cannot go on
    │   ├── SsoStateInvalid                   there is no login to go on with
    │   └── SsoTimeout                        nobody signed in within the time
    └── TaskError                             running task(g)
        ├── InvalidTask              400  the source cannot be a task; nothing was run
        ├── TaskFailed               400  the task raised
        ├── ResultNotSerializable    400  the task's value has no form in the asked format
        ├── ResultTooLarge           413
        ├── TaskTimeout              504
        ├── TaskCrashed              500  the task's process died
        └── TaskOutOfMemory          500

Each class has a stable ``code`` (it travels in every JSON error body, so that a client raises the same
class again) and ``status``, the HTTP status a server answers with. This module imports nothing of ours.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

_PACKAGE = str(Path(__file__).parent)


class GraphistryError(Exception):
    """Base of every error raised by graphistry-core; its text is one sentence a user can act on."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details

    def __reduce__(self) -> Any:
        return (_rebuild, (type(self), self.message, self.details))

    def to_body(self) -> dict[str, Any]:
        """Return the JSON body of this error: ``success``, ``error``, ``message``, ``code`` and its details."""
        return {**self.details, "success": False, "error": self.message, "message": self.message, "code": self.code}


class BadRequest(GraphistryError, ValueError):
    """The input is wrong; the sentence says what to change."""

    code = "bad-request"
    status = 400


class BindingError(BadRequest):
    """A column that a binding names does not exist, or a needed binding is missing."""

    code = "binding"


class InvalidTable(BadRequest):
    """The value is no table, or a table that cannot be stored (duplicate names, damaged bytes, …)."""

    code = "invalid-table"


class ArrowConversionError(InvalidTable):
    """Columns of mixed types, found under ``validate='strict'`` (PyGraphistry's class and attributes)."""

    code = "arrow-conversion"

    def __init__(self, columns: Sequence[str], original_error: BaseException | None = None) -> None:
        self.columns = list(columns)
        self.original_error = original_error
        super().__init__(
            f"Columns {self.columns} hold values of mixed types, which Arrow cannot store: convert them first, "
            "or pass validate='autofix' to store them as strings."
        )

    def __reduce__(self) -> Any:
        return (ArrowConversionError, (self.columns, None))


class EngineUnavailable(BadRequest):
    """The engine that was asked for by name cannot be used here; the sentence holds the probe's reason."""

    code = "engine-unavailable"


class EnginesDiffer(GraphistryError):
    """Two engines gave different values for one task; ``details["differences"]`` and ``["warnings"]`` are sentences."""

    code = "engines-differ"
    status = 409


class NotAuthenticated(GraphistryError):
    """No token was sent, or it is not one of this server's."""

    code = "not-authenticated"
    status = 401


class TokenExpired(NotAuthenticated):
    """The token was valid once; refresh it or log in again."""

    code = "token-expired"

    def to_body(self) -> dict[str, Any]:
        # PyGraphistry tells expiry from other refusals by exactly this list.
        return {**super().to_body(), "non_field_errors": ["Token has expired."]}


class RefreshFailed(TokenExpired, ValueError):
    """The token could not be refreshed, and there are no credentials to log in again with."""

    code = "refresh-failed"


class InvalidCredentials(GraphistryError):
    """The server refuses this user name and password, or this personal key."""

    code = "invalid-credentials"
    status = 400

    def to_body(self) -> dict[str, Any]:
        return {**super().to_body(), "non_field_errors": [self.message]}


class AccessDenied(GraphistryError):
    """The caller is known but may not do this; the sentence names the flag or setting that decides."""

    code = "access-denied"
    status = 403


class NotFound(GraphistryError):
    """There is no such thing, or it is not the caller's to see."""

    code = "not-found"
    status = 404


class MethodNotAllowed(GraphistryError):
    """The path exists, but not for this HTTP method."""

    code = "method-not-allowed"
    status = 405


class TooLarge(GraphistryError):
    """The body is larger than the server's limit."""

    code = "too-large"
    status = 413


class NotImplementedHere(GraphistryError):
    """Graphistry has it, this project does not (yet)."""

    code = "not-implemented"
    status = 501


class ServerError(GraphistryError):
    """The server failed by its own fault."""

    code = "server-error"
    status = 500


class StorageUnavailable(ServerError):
    """The object storage with the server's data cannot be reached or refuses; nothing was half done."""

    code = "storage-unavailable"
    status = 503


class ServerUnreachable(GraphistryError, ConnectionError):
    """No answer from the server: refused, timed out, unknown host, or a TLS failure."""

    code = "server-unreachable"
    status = 502


class MalformedAnswer(GraphistryError):
    """The server answered, but not as the protocol says."""

    code = "malformed-answer"
    status = 502


class MissingDependency(GraphistryError, ImportError):
    """An optional library is needed for this; the sentence names the extra that brings it."""

    code = "missing-dependency"
    status = 501


class ConfigError(GraphistryError, ValueError):
    """A setting, option or environment variable has a value that cannot be used."""

    code = "config"
    status = 400


class SsoError(GraphistryError):
    """An SSO login cannot go on."""

    code = "sso"
    status = 400


class SsoStateInvalid(SsoError):
    """No SSO login was begun in this session."""

    code = "sso-state"


class SsoTimeout(SsoError):
    """Nobody signed in within the time given."""

    code = "sso-timeout"


class TaskError(GraphistryError):
    """Base of what can go wrong with ``task(g)``.

    Attributes: ``line`` (1-based, in the task's source) and ``column`` or None, ``traceback`` (text, the user's
    own frames first, library frames folded), ``logs`` (what the task printed), ``run_id``, ``code``.
    """

    code = "task"

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        column: int | None = None,
        traceback: str = "",
        logs: str = "",
        run_id: str = "",
        **details: Any,
    ) -> None:
        super().__init__(message, line=line, column=column, traceback=traceback, logs=logs, run_id=run_id, **details)

    @property
    def line(self) -> int | None:
        """1-based line of the task's source, or None."""
        return self.details.get("line")

    @property
    def column(self) -> int | None:
        """1-based column of the task's source, or None."""
        return self.details.get("column")

    @property
    def traceback(self) -> str:
        """The traceback as text, library frames folded."""
        return str(self.details.get("traceback") or "")

    @property
    def logs(self) -> str:
        """What the task wrote to stdout and stderr."""
        return str(self.details.get("logs") or "")

    @property
    def run_id(self) -> str:
        """Id of this run."""
        return str(self.details.get("run_id") or "")

    def with_details(self, **details: Any) -> TaskError:
        """Return the same error with more details (run id, logs, duration); the cause is kept."""
        clone = type(self)(self.message, **{**self.details, **details})
        clone.__cause__ = self.__cause__
        return clone


class InvalidTask(TaskError):
    """The source cannot be a task: nothing was run."""

    code = "invalid-task"
    status = 400


class TaskFailed(TaskError):
    """The task raised; the message has the exception and the user's line."""

    code = "task-failed"
    status = 400


class ResultNotSerializable(TaskError):
    """The task's value has no form in the asked format; the message names the path and the fix."""

    code = "result-not-serializable"
    status = 400


class ResultTooLarge(TaskError):
    """The encoded result is over the cap."""

    code = "result-too-large"
    status = 413


class TaskTimeout(TaskError):
    """The task ran past its limit and was ended."""

    code = "task-timeout"
    status = 504


class TaskCrashed(TaskError):
    """The task's process died without a result."""

    code = "task-crashed"
    status = 500


class TaskOutOfMemory(TaskError):
    """The task asked for more memory than its limit."""

    code = "task-out-of-memory"
    status = 500


class TaskCancelled(TaskError):
    """The task was ended because nobody wants its result any more, or the server stops."""

    code = "task-cancelled"
    status = 409


class QueueFull(TaskError):
    """As many tasks run and wait as the server takes; ``details["retry_after_s"]`` says when to try again."""

    code = "queue-full"
    status = 503


def _rebuild(cls: type[GraphistryError], message: str, details: dict[str, Any]) -> GraphistryError:
    return cls(message, **details)


def all_errors() -> list[type[GraphistryError]]:
    """Return every class of the tree."""
    return _subclasses(GraphistryError)


def _subclasses(cls: type[GraphistryError]) -> list[type[GraphistryError]]:
    return [cls, *(found for sub in cls.__subclasses__() for found in _subclasses(sub))]


_BY_CODE = {cls.code: cls for cls in all_errors() if cls is not ArrowConversionError}
_BY_CODE[ArrowConversionError.code] = InvalidTable
_BY_STATUS: dict[int, type[GraphistryError]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: AccessDenied,
    404: NotFound,
    405: MethodNotAllowed,
    413: TooLarge,
    501: NotImplementedHere,
}


def from_body(status: int, body: Mapping[str, Any], fallback: str) -> GraphistryError:
    """Rebuild the error that a server answered with.

    ``body`` is the decoded JSON object (empty when there was none). A server of ours sends ``code``, which names
    the class; from any other the class follows the status, and the sentence is the first of ``error``, ``detail``,
    ``message`` and ``non_field_errors`` that is there, else ``fallback``.
    """
    fields = ("error", "detail", "message", "non_field_errors")
    found = next((body[key] for key in fields if body.get(key)), fallback)
    message = "; ".join(map(str, found)) if isinstance(found, list) else str(found)
    if body.get("non_field_errors") == ["Token has expired."]:
        return TokenExpired(message)
    code = body.get("code")
    cls = _BY_CODE.get(code) if isinstance(code, str) else None
    if cls is None:
        cls = _BY_STATUS.get(status, ServerError if status >= 500 else BadRequest)
    known = {"success", "error", "message", "code", "non_field_errors", "self", "columns", "original_error"}
    details = {str(k): v for k, v in body.items() if k not in known and str(k).isidentifier()}
    return cls(message, **details)


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the caller's own line: the innermost frame outside this package."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
