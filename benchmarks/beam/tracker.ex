defmodule Tracker do
  @moduledoc "One supervised, registered server per transaction, as Elixir users write it."
  use GenServer, restart: :transient

  @registry Tracker.Registry
  @supervisor Tracker.Supervisor
  @partitions 64
  # High enough that no workload makes a supervisor give up.
  @options [strategy: :one_for_one, max_restarts: 1_000_000_000, max_seconds: 5]

  def open(supervision) do
    {:ok, _} = Registry.start_link(keys: :unique, name: @registry)
    {:ok, _} = supervise(supervision)
    :ok
  end

  defp supervise(:single), do: DynamicSupervisor.start_link([name: @supervisor] ++ @options)

  defp supervise(:partitioned) do
    PartitionSupervisor.start_link(
      child_spec: {DynamicSupervisor, @options},
      name: @supervisor,
      partitions: @partitions
    )
  end

  def close(:single), do: DynamicSupervisor.stop(@supervisor)
  def close(:partitioned), do: PartitionSupervisor.stop(@supervisor)

  def start(id, :single), do: start_under(@supervisor, id)

  def start(id, :partitioned),
    do: start_under({:via, PartitionSupervisor, {@supervisor, id}}, id)

  defp start_under(supervisor, id) do
    {:ok, pid} = DynamicSupervisor.start_child(supervisor, {__MODULE__, id: id, name: via(id)})
    pid
  end

  def via(id), do: {:via, Registry, {@registry, id}}

  def lookup(id) do
    case Registry.lookup(@registry, id) do
      [{pid, _}] -> pid
      [] -> nil
    end
  end

  def start_link(options) do
    {name, options} = Keyword.pop!(options, :name)
    GenServer.start_link(__MODULE__, options, name: name)
  end

  def status(pid), do: GenServer.call(pid, :status)
  def bump(pid), do: GenServer.cast(pid, :bump)
  def arrive(pid), do: GenServer.cast(pid, :arrive)

  def crash(pid) do
    GenServer.call(pid, :crash)
  catch
    :exit, _ -> :ok
  end

  @impl true
  def init(options), do: {:ok, %{id: Keyword.fetch!(options, :id), bumps: 0}}

  @impl true
  def handle_call(:status, _from, state), do: {:reply, state.bumps, state}
  def handle_call(:crash, _from, _state), do: raise("crash")

  @impl true
  def handle_cast(:bump, state), do: {:noreply, %{state | bumps: state.bumps + 1}}

  def handle_cast(:arrive, state) do
    Latch.arrive()
    {:noreply, %{state | bumps: state.bumps + 1}}
  end
end

defmodule Latch do
  @moduledoc "Tells the opener when as many arrivals as it asked for have come."

  def open do
    :persistent_term.put(__MODULE__, {:atomics.new(1, []), self()})
  end

  def set(arrivals) do
    {left, _} = :persistent_term.get(__MODULE__)
    :atomics.put(left, 1, arrivals)
  end

  def arrive do
    {left, opener} = :persistent_term.get(__MODULE__)
    if :atomics.sub_get(left, 1, 1) == 0, do: send(opener, :all_arrived)
  end

  def wait do
    receive do
      :all_arrived -> :ok
    end
  end
end
