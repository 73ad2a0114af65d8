"""``python -m beamish shell`` and ``python -m beamish tree``: inspect a running application.

`look` returns a supervision tree as data, `render` as text.

When not to use it: to run an application in production; use `run`.

Source:
    ``iex -S mix``.
"""

from beamish.shell.command import shell, tree
from beamish.shell.tree import Node, Restarts, look, render

__all__ = ["Node", "Restarts", "look", "render", "shell", "tree"]
