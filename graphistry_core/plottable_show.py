"""How a graph is shown: encodings, settings, styles, collections. Methods only; the work is in other modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plottable import Plottable


class ShowMethods:
    """The methods of a graph (and of a client, for an empty one) that say how it is shown."""

    def _graph(self) -> Plottable:
        raise NotImplementedError
