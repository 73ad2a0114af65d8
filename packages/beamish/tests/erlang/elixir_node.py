"""A real Elixir node for tests."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .support import ERLANG_NODE, SECRET, environment, tool

SETUP = """
defmodule Echo do
  use GenServer
  def start(name), do: GenServer.start(__MODULE__, nil, name: name) |> elem(1)
  def init(_), do: {:ok, 0}
  def handle_call({:add, by}, _from, count), do: {:reply, count + by, count + by}
  def handle_call(:caller, {pid, _}, count), do: {:reply, pid, count}
  def handle_call(:never, _from, count), do: {:noreply, count}
  def handle_call(:crash, _from, _count), do: exit(:broken)
  def handle_call({:back, dest}, _from, count), do: {:reply, GenServer.call(dest, {:add, 1}), count}
  def handle_cast({:send, to, message}, count) do
    send(to, message)
    {:noreply, count}
  end
  def handle_cast({:link, to}, count) do
    Process.link(to)
    {:noreply, count}
  end
end

defmodule Caught do
  def exit(fun) do
    fun.()
  catch
    :exit, {reason, {GenServer, :call, _}} -> {:exit, reason}
    :exit, reason -> {:exit, reason}
  end

  def down(reference) do
    receive do
      {:DOWN, ^reference, :process, _, reason} -> reason
    end
  end

  def exits(pid) do
    receive do
      {:EXIT, ^pid, reason} -> reason
    end
  end
end

defmodule Shop.Order do
  defstruct [:id, :total]
end

IO.puts("ready")
Process.sleep(:infinity)
"""


@dataclass(frozen=True, slots=True)
class Elixir:
    epmd_port: int
    program: subprocess.Popen[str]


@contextmanager
def running_elixir(epmd_port: int, *options: str) -> Iterator[Elixir]:
    command = [tool("elixir"), *options, "--name", ERLANG_NODE, "--cookie", SECRET, "-e", SETUP]
    with subprocess.Popen(
        command, env=environment(epmd_port), stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
            yield Elixir(epmd_port, program)
        finally:
            program.kill()
