"""Operations around the viewer: who has a graph open, and links that open one once. All guesses beyond their paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest, MalformedAnswer
from ..messages import HttpRequest, HttpResponse
from .base import Answer, InPath, Listing, Request, base_url


@dataclass(frozen=True)
class RecordAnswer(Answer):
    """One JSON object."""

    record: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> HttpResponse:
        return HttpResponse.of_json({**self.record, "success": True})

    @classmethod
    def decode(cls, http: HttpResponse) -> RecordAnswer:
        body = http.json()
        if not isinstance(body, dict):
            raise MalformedAnswer("The server's answer is not a JSON object.")
        return cls({name: value for name, value in body.items() if name != "success"})


@dataclass(frozen=True)
class SessionList(Listing):
    """Who has the caller's datasets open, newest first.

    Rows are ``{session_id, revision: {revision_id, dataset: {dataset_id}}}``.
    """

    operation = "session_list"
    path = "/api/experimental/viz/sessions/"
    source = "docs"


@dataclass(frozen=True)
class SessionGet(InPath[RecordAnswer]):
    """One open viewer."""

    operation = "session_get"
    method = "GET"
    path = "/api/experimental/viz/sessions/{session_id}/"
    answer = RecordAnswer
    source = "docs"
    session_id: str


@dataclass(frozen=True)
class SingleUseUrl(Request[RecordAnswer]):
    """A link that shows a dataset once to whoever opens it; ``username`` is whom the link is for."""

    operation = "single_use_url"
    method = "GET"
    path = "/api/v2/generate/single-use-url/"
    answer = RecordAnswer
    source = "guess"
    username: str
    dataset_id: str
    base_url: str = ""  # protocol and host as the client reached the server; not sent

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, self.path, {"username": self.username, "dataset_id": self.dataset_id})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> SingleUseUrl:
        for name in ("username", "dataset_id"):
            if not http.query.get(name):
                raise BadRequest(f"The query parameter '{name}' is missing.")
        return cls(http.query["username"], http.query["dataset_id"], base_url(http))
