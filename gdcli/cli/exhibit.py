"""What is shown of a stored answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from gdcli.kernel.dataclass import NamedTuple

if TYPE_CHECKING:
    from gdcli.render.plot_data import Picture


class Exhibit(NamedTuple):
    """What is shown of a stored answer: ``write`` writes the page.

    ``picture`` makes the picture, None where there is none because of what is ``missing``. ``path`` tells that there
    are points which --every can thin, ``planes`` that --plane is read, ``timed`` that the times of the run were stored.
    """

    write: Callable[[TextIO], None]
    picture: Callable[[], Picture] | None = None
    missing: str = ""
    path: bool = False
    planes: bool = False
    timed: bool = False
