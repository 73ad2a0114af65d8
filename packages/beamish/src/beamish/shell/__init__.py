"""``python -m beamish shell`` and ``python -m beamish tree``: look into a running application.

`look` gives a supervision tree as data, `render` as text.

When not to use it: in production, to run the application; `run` does that.

Source:
    ``iex -S mix``.
"""

from beamish.shell.command import shell, tree
from beamish.shell.tree import Node, Restarts, look, render

__all__ = ["Node", "Restarts", "look", "render", "shell", "tree"]
