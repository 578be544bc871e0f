"""What the tests of the control side share: its two forms behind one set of calls, and callers of a server."""

from __future__ import annotations

import json
from dataclasses import asdict

import graphistry
import requests

from graphistry_core import BadRequest, GraphistryClient, NotFound

PASSWORD = "a-Password-that-must-not-be-written-down"


class ByPython:
    """The control side as ``server.dev`` and ``mock.dev`` give it."""

    def __init__(self, server):
        self.dev = server.dev

    def reset(self):
        self.dev.reset()

    def journal(self, **search):
        return [json.loads(json.dumps(entry.to_dict())) for entry in self.dev.journal.find(**search)]

    def forget_journal(self):
        self.dev.journal.clear()

    def fault(self, operation, **options):
        return self.dev.faults.add(operation, **options).id

    def faults(self):
        return [fault.to_dict() for fault in self.dev.faults.list()]

    def remove_faults(self, fault_id=None):
        self.dev.faults.clear() if fault_id is None else self.dev.faults.remove(fault_id)

    def advance(self, seconds):
        self.dev.clock.advance(seconds)

    def freeze(self, at=True):
        self.dev.clock.unfreeze() if at is False else self.dev.clock.freeze(None if at is True else at)

    def reset_clock(self):
        self.dev.clock.reset()

    def now(self):
        return self.dev.clock.now()

    def end_tokens(self, how, **whose):
        getattr(self.dev.tokens, how)(**whose)

    def forget_ended_tokens(self):
        self.dev.tokens.clear()

    def flags(self, user=None):
        return self.dev.flags.get(user)

    def set_flags(self, user=None, **flags):
        return self.dev.flags.set(user, **flags)

    def snapshot(self):
        return self.dev.snapshot()

    def restore(self, snapshot):
        self.dev.restore(snapshot)

    def snapshots(self):
        return self.dev.snapshots.list()

    def drop_snapshots(self, snapshot=None):
        self.dev.snapshots.drop(snapshot)

    def set_strict(self, enabled=True):
        self.dev.strict.on() if enabled else self.dev.strict.off()

    def failures(self):
        return [asdict(failure) for failure in self.dev.strict.failures]

    def forget_failures(self):
        self.dev.strict.clear()

    def parity(self):
        return self.dev.parity()


class Refused(Exception):
    pass


class ByHttp:
    """The same over HTTP."""

    def __init__(self, server):
        base = server.register_kwargs
        self.url = f"{base['protocol']}://{base['server']}/_dev"

    def send(self, method, path, **options):
        response = requests.request(method, f"{self.url}/{path}", timeout=30, **options)
        assert response.headers["Content-Type"] == "application/json"
        if response.status_code != 200:
            raise {400: BadRequest, 404: NotFound}.get(response.status_code, Refused)(response.json()["error"])
        return response.json()

    def reset(self):
        self.send("POST", "reset")

    def journal(self, **search):
        found = self.send("GET", "journal", params=search)
        assert found["count"] == len(found["entries"])
        return found["entries"]

    def forget_journal(self):
        self.send("DELETE", "journal")

    def fault(self, operation, **options):
        return self.send("POST", "faults", json={"operation": operation, **options})["id"]

    def faults(self):
        return self.send("GET", "faults")["faults"]

    def remove_faults(self, fault_id=None):
        self.send("DELETE", "faults" if fault_id is None else f"faults/{fault_id}")

    def advance(self, seconds):
        self.send("POST", "clock", json={"advance": seconds})

    def freeze(self, at=True):
        self.send("POST", "clock", json={"freeze": at})

    def reset_clock(self):
        self.send("DELETE", "clock")

    def now(self):
        return self.send("GET", "clock")["seconds"]

    def end_tokens(self, how, **whose):
        self.send("POST", f"tokens/{how}", json=whose)

    def forget_ended_tokens(self):
        self.send("DELETE", "tokens")

    def flags(self, user=None):
        return self.send("GET", "flags", params={} if user is None else {"user": user})["flags"]

    def set_flags(self, user=None, **flags):
        return self.send("POST", "flags", json={"flags": flags, "user": user})["flags"]

    def snapshot(self):
        return self.send("POST", "snapshot")["snapshot"]

    def restore(self, snapshot):
        self.send("POST", "restore", json={"snapshot": snapshot})

    def snapshots(self):
        return self.send("GET", "snapshot")["snapshots"]

    def drop_snapshots(self, snapshot=None):
        self.send("DELETE", "snapshot" if snapshot is None else f"snapshot/{snapshot}")

    def set_strict(self, enabled=True):
        self.send("POST", "strict", json={"enabled": enabled})

    def failures(self):
        return self.send("GET", "strict")["failures"]

    def forget_failures(self):
        self.send("DELETE", "strict")

    def parity(self):
        return self.send("GET", "parity")["routes"]


def address(server):
    return f"{server.register_kwargs['protocol']}://{server.register_kwargs['server']}"


def ours(server, user="alice"):
    return GraphistryClient().register(**{**server.register_kwargs, "username": user, "password": PASSWORD})


def theirs(server, user="alice"):
    """PyGraphistry, unmodified."""
    client = graphistry.client()
    client.register(**{**server.register_kwargs, "username": user, "password": PASSWORD})
    return client


def token_of(server, user="alice"):
    body = {"username": user, "password": PASSWORD}
    return requests.post(f"{address(server)}/api-token-auth/", json=body, timeout=30).json()["token"]


def ask(server, path="/api/v2/files/", token=None, method="GET", **options):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(method, address(server) + path, headers=headers, timeout=30, **options)
