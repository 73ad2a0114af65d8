# The Elixir side of beside_elixir.py.

defmodule Echo do
  use GenServer

  # Without a link: the Python supervisor links the process.
  def start, do: GenServer.start(__MODULE__, nil) |> elem(1)
  def init(nil), do: {:ok, 0}
  def handle_call("crash", _from, _count), do: exit(:crashed)
  def handle_call(text, _from, count), do: {:reply, {text, count + 1}, count + 1}
end

defmodule Model do
  @python :"py@127.0.0.1"

  def child_spec(_), do: %{id: Model, start: {__MODULE__, :start_link, []}}

  # Runs in the supervisor, so the link is with it.
  def start_link do
    case :rpc.call(@python, :models, :start, []) do
      pid when is_pid(pid) ->
        Process.link(pid)
        {:ok, pid}

      {:badrpc, reason} ->
        {:error, reason}
    end
  end

  def predict(supervisor, text) do
    [{Model, pid, _, _}] = Supervisor.which_children(supervisor)
    GenServer.call(pid, {:predict, text})
  end
end

defmodule Main do
  def wait(python) do
    unless Node.ping(python) == :pong do
      Process.sleep(50)
      wait(python)
    end
  end

  def wait_for_successor(supervisor, old) do
    case Supervisor.which_children(supervisor) do
      [{Model, pid, _, _}] when is_pid(pid) and pid != old -> :ok
      _ -> wait_for_successor(supervisor, old)
    end
  end

  def run do
    IO.puts("started")
    wait(:"py@127.0.0.1")
    {:ok, supervisor} = Supervisor.start_link([Model], strategy: :one_for_one)
    IO.inspect(Model.predict(supervisor, "grün"))
    [{Model, pid, _, _}] = Supervisor.which_children(supervisor)
    reference = Process.monitor(pid)
    Process.exit(pid, :kill)

    receive do
      {:DOWN, ^reference, :process, ^pid, reason} -> IO.inspect(reason)
    end

    wait_for_successor(supervisor, pid)
    IO.inspect(Model.predict(supervisor, "again"))
    :ok = Supervisor.stop(supervisor)
    IO.puts("done")
    Process.sleep(:infinity)
  end
end

Main.run()
