"""The parity page leaves nothing out: neither of Elixir's functions nor of ours."""

import inspect
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import beamish
from beamish import debug, process

pytestmark = pytest.mark.once

PAGE = Path(__file__).parent.parent / "docs" / "parity.md"
OURS: dict[str, Any] = {
    "GenServer": beamish.GenServer,
    "Registry": beamish.Registry,
    "DynamicSupervisor": beamish.DynamicSupervisor,
    "Supervisor": beamish.Supervisor,
    "Process": process,
    ":sys": debug,
    "Application": beamish.Application,
    "Task": beamish.Task,
    "Task.Supervisor": beamish.TaskSupervisor,
    "Agent": beamish.Agent,
    "PartitionSupervisor": beamish.PartitionSupervisor,
}
ELIXIR = [section for section in OURS if section != ":sys"]  # whose documentation can be asked

_LIST = """
for module <- [%s] do
  {:docs_v1, _, _, _, _, _, docs} = Code.fetch_docs(module)
  for {{kind, name, _}, _, _, doc, _} <- docs,
      kind in [:function, :macro, :callback], doc != :hidden,
      do: IO.puts("#{inspect module} #{name}")
end
"""


def sections() -> dict[str, str]:
    parts = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0]: part for part in parts}


def says(section: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}(?!\w)", sections()[section]) is not None


def functions(owner: Any) -> list[str]:
    names = owner.__all__ if inspect.ismodule(owner) else dir(owner)
    return [name for name in names if name[0] != "_" and inspect.isroutine(getattr(owner, name))]


@pytest.mark.parametrize("section", OURS)
def test_each_of_our_functions_is_on_the_page(section: str) -> None:
    found = set(functions(OURS[section]))

    assert [name for name in sorted(found) if not says(section, name)] == []


@pytest.mark.elixir
@pytest.mark.skipif(shutil.which("elixir") is None, reason="needs elixir")
def test_each_documented_function_of_elixir_is_on_the_page() -> None:
    ran = subprocess.run(
        ["elixir", "-e", _LIST % ", ".join(ELIXIR)],
        capture_output=True,
        text=True,
        check=True,
    )

    listed = [line.split() for line in ran.stdout.splitlines()]
    assert {section for section, _ in listed} == set(ELIXIR)
    public = [(section, name) for section, name in listed if not name.startswith("__")]
    assert [pair for pair in public if not says(*pair)] == []
