"""Objects under a URL (``s3://bucket/prefix``, or any other that fsspec knows), and a local cache of tables.

An object is there whole or not at all, and every failure is one of our errors. Nothing here knows what objects mean,
but for one thing: a name that ends in ``-`` and 32 hexadecimal digits (and a suffix) says the digest of its content, so
that whoever fetches it sees damage. Credentials come from the environment, as fsspec and its libraries take them. May
import errors.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import ConfigError, GraphistryError, MissingDependency, ServerError, StorageUnavailable

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:://|::)")
_DIGEST = re.compile(r"-([0-9a-f]{32})\.[^./]+$")
_S3 = {"s3", "s3a"}
# Where a name appears once all of its content has come; elsewhere content goes under another name first.
_PUTS_ARE_WHOLE = {*_S3, "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss"}
_LOCKS = 16
_STALE_S = 3600.0  # a download that has not grown for so long has nobody


def is_url(place: object) -> bool:
    """Say whether a data directory is a URL and not a path."""
    return isinstance(place, str) and _URL.match(place) is not None


def checked(url: str) -> str:
    """Return a URL without slashes at its end; raise ConfigError for one that cannot be used or holds credentials."""
    shown = redacted(url)
    if "::" in url:
        raise ConfigError(f"The URL {shown} is a chain of several: name one place, such as s3://bucket/prefix.")
    try:
        parts = urlsplit(url)
        secret = "@" in parts.netloc or bool(parts.password)
    except ValueError as e:
        raise ConfigError(f"{shown} is not a URL.") from e
    if secret:
        raise ConfigError(
            f"The URL {shown} holds credentials, which would be seen by others: give them in the environment "
            "(for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile)."
        )
    if parts.query or parts.fragment or set("?#*[]") & set(url):
        raise ConfigError(f"The URL {shown} has one of ?#*[] in it; it must be like s3://bucket/prefix.")
    if not (parts.netloc or parts.path.strip("/")):
        raise ConfigError(f"The URL {shown} names no place; it must be like s3://bucket/prefix.")
    return url.rstrip("/")


def redacted(text: str) -> str:
    """Return text in which URLs have neither user, password nor query."""
    bare = re.sub(r"(://)[^/\s@]*@", r"\1…@", text)
    return re.sub(r"(://[^\s?'\"]*)\?[^\s'\"]+", r"\1?…", bare)


@dataclass(frozen=True)
class Found:
    """One object of a listing: its name below the place, what changes with its content, and when it came."""

    name: str
    version: str
    modified: float
    """Seconds since the epoch, by the clock of the storage; 0 where it does not say."""


class Place:
    """Objects by name below one URL. Safe to use from many threads; nothing is kept of what was read or listed.

    Raises StorageUnavailable for whatever the storage does not do, FileNotFoundError for an object that is not there,
    ConfigError for a URL that cannot be used, and MissingDependency.
    """

    def __init__(self, url: str) -> None:
        self.url = checked(url)
        self._protocol = self.url.partition("://")[0].lower()
        self._fs = _filesystem(self._protocol, os.getpid())
        self._root = str(self._fs._strip_protocol(self.url)).rstrip("/")

    def url_of(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self.url}/{name}"

    def put_file(self, path: Path, name: str) -> None:
        """Store a file's content as an object, in place of what was there."""
        with self._failing(f"{name} cannot be stored"), self._named(name) as target:
            self._fs.put_file(os.fspath(path), target)

    def put(self, content: bytes, name: str) -> None:
        """Store bytes as an object, in place of what was there."""
        with self._failing(f"{name} cannot be stored"), self._named(name) as target:
            self._fs.pipe_file(target, content)

    @contextlib.contextmanager
    def _named(self, name: str) -> Iterator[str]:
        """Give the path to write to; the object appears under its name when the block has ended well."""
        path = f"{self._root}/{name}"
        if self._protocol in _PUTS_ARE_WHOLE:
            yield path
            return
        fresh = f"{path}.{uuid.uuid4().hex}.part"
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            yield fresh
            self._fs.mv(fresh, path)
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(fresh)
            raise

    def get(self, name: str) -> bytes:
        """Return an object's content."""
        with self._failing(f"{name} cannot be read"):
            return bytes(self._fs.cat_file(f"{self._root}/{name}"))

    def get_all(self, names: list[str]) -> dict[str, bytes]:
        """Return the content of objects by name, many at a time; those that are not there (any more) are left out."""
        paths = {f"{self._root}/{name}": name for name in names}
        with self._failing(f"{len(names)} objects cannot be read"):
            found = {} if not paths else self._fs.cat([*paths], on_error="return")
            for content in found.values():
                gone = isinstance(content, FileNotFoundError) and "NoSuchBucket" not in _codes(content)
                if isinstance(content, Exception) and not gone:
                    raise content
        bare = {path.lstrip("/"): name for path, name in paths.items()}
        return {bare[str(p).lstrip("/")]: bytes(c) for p, c in found.items() if not isinstance(c, Exception)}

    def get_file(self, name: str, path: Path) -> None:
        """Write an object's content to a new file."""
        with self._failing(f"{name} cannot be read"):
            self._fs.get_file(f"{self._root}/{name}", os.fspath(path))

    def delete(self, *names: str) -> None:
        """Delete objects; those that are not there count as deleted."""
        for name in names:
            with contextlib.suppress(FileNotFoundError), self._failing(f"{name} cannot be deleted"):
                self._fs.rm_file(f"{self._root}/{name}")

    def list(self, folder: str, *, unfinished: bool = False) -> list[Found]:
        """Return all objects whose names begin with ``folder/``, as they are now; ``unfinished``: and what is none yet.

        Empty also where there is no such bucket: fsspec does not tell.
        """
        with self._failing(f"{folder}/ cannot be listed"):
            try:
                found: Mapping[str, Any] = self._fs.find(f"{self._root}/{folder}", detail=True)
            except FileNotFoundError:  # a folder that is not there is an empty one
                found = {}
        start = len(self._root) + 1
        objects = []
        for path, info in found.items():
            name = path[start:] if path.startswith(f"{self._root}/") else path[start - 1 :]
            if unfinished or not name.endswith(".part"):
                objects.append(Found(name, _version(info), _modified(info)))
        return objects

    @contextlib.contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Turn what libraries raise into one sentence; FileNotFoundError for an object stays what it is."""
        try:
            yield
        except (GraphistryError, MemoryError):
            raise
        except FileNotFoundError as e:
            if "NoSuchBucket" not in _codes(e):
                raise
            raise StorageUnavailable(f"{self.url}: {what}: {_WORDS['NoSuchBucket']}.") from None
        except Exception as e:  # noqa: BLE001 - each library has its own
            # The cause is cut off: what libraries raise may show requests, with headers.
            raise StorageUnavailable(f"{self.url}: {what}: {_reason(e)}.") from None


def _version(info: Mapping[str, Any]) -> str:
    known = info.get("ETag") or info.get("etag") or info.get("md5Hash")
    return f"{known or ''}:{info.get('size')}:{_modified(info)}:{info.get('ino', '')}"


def _modified(info: Mapping[str, Any]) -> float:
    at = next((info[key] for key in ("LastModified", "mtime", "created", "updated", "last_modified") if key in info), 0)
    return float(at.timestamp() if hasattr(at, "timestamp") else at if isinstance(at, int | float) else 0)


def _codes(error: BaseException) -> list[str]:
    """Return the codes with which S3 answered, as they stand in an exception and its causes."""
    codes, seen = [], error.__cause__ or error.__context__ if isinstance(error, OSError) else error
    for _ in range(5):
        response = getattr(seen, "response", None)
        if isinstance(response, dict):
            codes.append(str(response.get("Error", {}).get("Code")))
        seen = None if seen is None else seen.__cause__ or seen.__context__
    return codes


def _reason(error: BaseException) -> str:
    """Say in a few words what an exception of a library means; nothing of a URL's credentials is in it."""
    for code in _codes(error):
        if code in _WORDS:
            return _WORDS[code]
    if isinstance(error, PermissionError):
        return _WORDS["AccessDenied"]
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
        return "there are no credentials in the environment"
    said = " ".join(redacted(str(error)).split()).rstrip(".")[:200]
    return f"{said or 'no answer'} ({type(error).__name__})"


_WORDS = {
    "AccessDenied": "access is denied",
    "403": "access is denied",
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "the credentials are not known there",
    "SignatureDoesNotMatch": "the credentials are not right",
    "ExpiredToken": "the credentials have expired",
    "QuotaExceeded": "there is no more space for this account",
    "SlowDown": "too many requests; try again later",
    "ServiceUnavailable": "the storage is overloaded; try again later",
}


@functools.lru_cache(maxsize=16)
def _filesystem(protocol: str, process: int) -> Any:  # noqa: ARG001 - after a fork it must be another
    """Return the one file system of this process for a protocol; it caches nothing, and gives up within seconds."""
    try:
        fsspec = importlib.import_module("fsspec")
    except ImportError as e:
        raise MissingDependency('A URL as data directory needs fsspec: pip install "graphistry-core[s3]".') from e
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if protocol in _S3:
        retries = {"mode": "standard", "total_max_attempts": 3}
        options["config_kwargs"] = {"connect_timeout": 3, "read_timeout": 30, "retries": retries}
    try:
        made = fsspec.filesystem(protocol, **options)
    except ImportError as e:
        raise MissingDependency(
            f"URLs that begin with {protocol}:// need another library: "
            + ('pip install "graphistry-core[s3]".' if protocol in _S3 else f"{e}.")
        ) from e
    except ValueError as e:
        raise ConfigError(f"URLs that begin with {protocol}:// are not known to fsspec.") from e
    if protocol in _S3:
        made.retries = 1  # botocore has tried again by then
    return made


# --- the cache ------------------------------------------------------------------------------------------------


def digest_of(path: Path) -> str:
    """Return the 32 hexadecimal digits with which the name of an object with this content ends."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def fetch(url: str, cache: Path) -> Path:
    """Bring one object into a local cache, unless it is there; return its file, which can be mapped.

    Several processes and threads may ask at once: one fetches, the others wait, and the file appears whole. Its name is
    that of the object, which must be one that never gets other content. Raises FileNotFoundError when there is no
    such object, StorageUnavailable, ServerError for content that is not what its name says, ConfigError and
    MissingDependency.
    """
    folder, _, name = url.rpartition("/")
    path = cache / name
    if _used(path):
        return path
    place = Place(folder)
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(cache, name):
        if _used(path):
            return path
        fresh = cache / f".{name}.{uuid.uuid4().hex}.part"
        try:
            place.get_file(name, fresh)
            _check(fresh, url)
            os.replace(fresh, path)
        except OSError as e:
            if isinstance(e, FileNotFoundError | GraphistryError):
                raise
            raise ServerError(f"The cache {cache} cannot take {name}: {e.strerror or e}.") from e
        finally:
            fresh.unlink(missing_ok=True)
    return path


def _used(path: Path) -> bool:
    """Say whether a file is there, and note that it is used now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _check(path: Path, url: str) -> None:
    stated = _DIGEST.search(url)
    if stated is not None and digest_of(path) != stated[1]:
        raise ServerError(
            f"The table {url} is damaged: its content was cut short or replaced after it was written (its sha256 is "
            "another). Restore the object, or upload the data again."
        )


@contextlib.contextmanager
def _alone(cache: Path, name: str) -> Iterator[None]:
    """Keep others, also of other processes, from fetching the same object at the same time."""
    try:
        import fcntl
    except ImportError:  # they fetch it, too, and the last one's counts
        yield
        return
    slot = int(hashlib.sha256(name.encode()).hexdigest()[:4], 16) % _LOCKS
    descriptor = os.open(cache / f".lock-{slot}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def trim(cache: Path, max_bytes: float) -> list[str]:
    """Delete what was not used for longest until the cache is no larger than this; return the names of what went.

    Whoever has a deleted file mapped goes on undisturbed. Downloads of processes that were killed go, too.
    """
    files = []
    for path in cache.iterdir():
        with contextlib.suppress(OSError):
            status = path.stat()
            if path.name.endswith(".part"):
                if time.time() - status.st_mtime > _STALE_S:
                    path.unlink(missing_ok=True)
            elif not path.name.startswith("."):
                files.append((status.st_mtime, status.st_size, path))
    total, gone = sum(size for _, size, _ in files), []
    for _, size, path in sorted(files):
        if total <= max_bytes:
            break
        with contextlib.suppress(OSError):  # still mapped on Windows
            path.unlink()
            total -= size
            gone.append(path.name)
    return gone
