"""A server that speaks S3 on a real socket, in a thread of this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from graphistry_core import object_storage


@dataclass
class S3:
    """Where it listens, and what others need in their environment."""

    endpoint: str
    server: Any

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "name-of-a-key",
            "AWS_SECRET_ACCESS_KEY": "its-secret-part",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Let this process use it, too."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            object_storage._filesystem.cache_clear()
            yield
        object_storage._filesystem.cache_clear()

    def bucket(self, name: str) -> str:
        """Make a bucket; return its URL."""
        requests.put(f"{self.endpoint}/{name}", timeout=30).raise_for_status()
        return f"s3://{name}"


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    pytest.importorskip("s3fs", reason="needs the extra s3")
    moto = pytest.importorskip("moto.server", reason="needs moto[s3] and flask-cors")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    try:
        yield S3(f"http://127.0.0.1:{port}", server)
    finally:
        server.stop()
