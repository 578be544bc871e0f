"""The in-process server: its logic, accounts and store, with no HTTP in them."""

from __future__ import annotations

from .accounts import Accounts, Caller, Clock
from .directory import ServerConfig, User, load
from .hub import Hub

__all__ = ["Accounts", "Caller", "Clock", "Hub", "ServerConfig", "User", "load"]
