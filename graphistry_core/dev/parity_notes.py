"""What the operations' classes do not show: where single fields come from, what is missing, what answers hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..wire.functions import ABOUT, DEFINITIONS

Status = Literal["implemented", "partial", "not"]
Source = Literal["observed", "client", "docs", "seed", "guess"]


@dataclass(frozen=True)
class Note:
    """Whether a thing is here, how we know of it, and what is to say about it."""

    status: Status = "implemented"
    source: str = "observed"
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def _without_effect(source: Source) -> Note:
    return Note("not", source, "accepted and kept, without effect")


_FUNCTION = dict.fromkeys((*ABOUT, *(name for names in DEFINITIONS.values() for name in names)))

# Fields of requests whose source is not their operation's, or which are not wholly here.
FIELDS: Mapping[tuple[str, str], Note] = {
    ("login", "org_name"): Note(note="also in the answer, as active_organization"),
    ("sso_login", "client-type"): Note("implemented", "observed", "not looked at"),
    ("switch_org", "slug"): Note(note="must be the path's organization"),
    ("file_create", "description"): Note("implemented", "docs"),
    ("file_create", "file_compression"): Note("implemented", "docs"),
    ("file_create", "parser_options"): Note("implemented", "docs"),
    ("file_upload", "erase"): Note("partial", "observed", "a body that does not parse is never kept"),
    ("dataset_create", "edge_hypergraph_transform"): Note("implemented", "docs", "its keys are a guess"),
    ("dataset_create", "node_files"): Note("implemented", "observed", "also [file_id, table_index], by docs"),
    ("dataset_create", "edge_files"): Note("implemented", "observed", "also [file_id, table_index], by docs"),
    **{("function_create", name): Note("implemented", "guess") for name in _FUNCTION},
    ("function_run", "dataset_id"): Note("implemented", "docs", "its name is a guess"),
    **{("function_run", name): Note("implemented", "guess") for name in ("engine", "format", "output_type")},
    ("share", "notify"): _without_effect("observed"),
    ("share", "message"): _without_effect("observed"),
    ("python", "execute"): Note("implemented", "seed", "the four blanks before every line are observed"),
    ("python", "engine"): Note(
        note="'dask' and 'dask_cudf' are this project's own; PyGraphistry's client does not send them"
    ),
    ("python", "run_label"): Note("partial", "observed", "accepted; shown nowhere but in the journal's field names"),
}

# Fields that Graphistry has and our operations do not know.
MISSING_FIELDS: Mapping[str, tuple[tuple[str, str, Note], ...]] = {
    "file_create": (("body", "sql_transforms", Note("not", "docs")),),
    "dataset_list": (("answer", "slug, uri_tag, image, compute, layout", Note("not", "docs")),),
}

_OK = {
    "status": Note(note="always 'OK'"),
    "success": Note(),
    "message": Note("implemented", "client"),
    "data": Note("implemented", "guess", "what was done to what"),
}

# Fields of answers, by the answer's class.
ANSWERS: Mapping[str, Mapping[str, Note]] = {
    "TokenAnswer": {
        "token": Note(note="a JWT of one hour, by docs"),
        "active_organization": Note(note="slug, is_found, is_member; absent when no organization was asked for"),
        "success": Note("implemented", "guess"),
        "user": Note("not", "docs", "name, username, email, id; no client reads it"),
    },
    "SsoAnswer": {
        "status": Note("implemented", "observed", "'OK'; 'PENDING' while nobody has signed in is a guess"),
        "message": Note("implemented", "client"),
        "data.state": Note(),
        "data.auth_url": Note(),
        "data.token": Note(),
        "data.active_organization": Note("implemented", "client"),
    },
    "OkAnswer": _OK,
    "FileAnswer": {
        "file_id": Note(),
        "is_valid": Note(),
        "is_uploaded": Note(),
        "errors": Note(),
        "name, description, file_type": Note("implemented", "docs"),
        "author, bytes_count, created_at, updated_at": Note("implemented", "docs"),
        "tables_schemas": Note("implemented", "docs", "name, dtypes, num_cols, num_rows"),
    },
    "DatasetAnswer": {
        "success": Note(),
        "message": Note("implemented", "docs"),
        "data.dataset_id": Note(),
        "data.dtypes, num_cols, num_rows": Note("implemented", "docs", "of an uploaded table"),
        "data.time_parsing_s": Note("partial", "docs", "always 0"),
        "data.node_encodings, edge_encodings, metadata, name, description": Note("implemented", "observed", "as sent"),
    },
    "Page": {
        "count, next, previous, results": Note("implemented", "docs"),
    },
    "RecordAnswer": {
        "(a JSON object)": Note("implemented", "guess", "the record itself, and success"),
    },
    "PythonAnswer": {
        "(body)": Note("implemented", "observed", "JSON, csv, parquet, or a zip of nodes and edges"),
        "(body) of a str": Note("implemented", "guess", "the string itself, as text/plain"),
        "error": Note("implemented", "observed", "with status 400 to 504, which are guesses"),
    },
}

# Beside the operations.
PAGES: tuple[tuple[str, tuple[str, ...], Note], ...] = (
    ("viewer", ("GET /graph/graph.html",), Note("implemented", "observed", "a viewer of our own")),
    ("health", ("GET /healthz", "GET /healthcheck/", "GET /ht/"), Note("implemented", "docs", "200 while it runs")),
    ("sso_page", ("GET /sso/{state}",), Note("implemented", "guess", "stands for the identity provider's page")),
    (
        "login_page",
        ("GET /accounts/login/", "POST /accounts/login/", "GET /accounts/logout/"),
        Note("implemented", "guess", "a session cookie with its CSRF token; the names are Django's"),
    ),
)
