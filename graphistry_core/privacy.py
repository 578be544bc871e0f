"""The words of sharing. Imports nothing of ours."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Mode = Literal["private", "organization", "public"]
ModeAction = Literal["10", "20"]
MODE_ACTION_VIEW: ModeAction = "10"
MODE_ACTION_EDIT: ModeAction = "20"


class Privacy(TypedDict, total=False):
    """How a dataset is shared: ``mode_action`` '10' lets others view, '20' edit."""

    mode: Mode | None
    notify: bool | None
    invited_users: list[dict[str, Any]] | None
    mode_action: ModeAction | None
    message: str | None
