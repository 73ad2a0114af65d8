"""The prompt: Python with ``await``, history and completion.

When not to use it: outside a shell.

Source:
    ``python -m asyncio``. Differs: the event loop is the application's own.
"""

import ast
import codeop
import linecache
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

from beamish.shell.evaluator import Evaluator
from beamish.shell.terminal import Interrupted, Terminal

PS1, PS2 = ">>> ", "... "


class Prompt:
    """Reads inputs from a terminal and runs them.

    Args:
        terminal: The source of the inputs.
        names: The namespace in which inputs run.
    """

    def __init__(self, terminal: Terminal, names: dict[str, Any]) -> None:
        self._terminal = terminal
        self._names = names
        self._count = 0
        self._compile = codeop.CommandCompiler()
        self._compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self.evaluator: Evaluator = Evaluator(self._step)

    async def serve(self) -> None:
        """Run inputs until Ctrl-D or ``exit()``."""
        await self.evaluator.serve()

    async def _step(self) -> bool:
        try:
            function = await self._input()
        except EOFError:
            if self._terminal.interactive:
                print()
            return False
        except Interrupted:
            print("KeyboardInterrupt", file=sys.stderr)
            return True
        return function is None or await self.evaluator.run(function)

    async def _input(self) -> Callable[[], Any] | None:
        """Read lines until they form an input; return ``None`` for invalid syntax."""
        lines: list[str] = []
        self._count += 1
        name = f"<input {self._count}>"
        while True:
            lines.append(await self._line(lines))
            source = "\n".join(lines)
            try:
                code = self._compile(source, name, "single")
            except (SyntaxError, ValueError, OverflowError) as error:
                self._terminal.remember(source)
                print("".join(traceback.format_exception_only(error)), end="", file=sys.stderr)
                return None
            if code is not None:
                self._terminal.remember(source)
                # linecache lets tracebacks show the line.
                linecache.cache[name] = len(source), None, [f"{line}\n" for line in lines], name
                return types.FunctionType(code, self._names)

    async def _line(self, before: list[str]) -> str:
        try:
            return await self._terminal.line(PS2 if before else PS1)
        except EOFError:
            if not before or before[-1] == "":
                raise
            return ""  # the end of a pipe ends a block like an empty line
