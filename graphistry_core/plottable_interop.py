"""Other graph forms to and from a graph. Methods only; the work is in the modules of ``interop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .plottable import Plottable


class InteropMethods:
    """The methods of a graph (and of a client, for an empty one) that take or give other graph forms."""

    def _graph(self) -> Plottable:
        raise NotImplementedError
