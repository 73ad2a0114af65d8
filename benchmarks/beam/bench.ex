defmodule Bench do
  @moduledoc """
  The workloads on the BEAM, the same as those of `loops.py`.

  Everything measured is a plain recursive function of a compiled module. One workload per run;
  the figures go to the standard output as one line of JSON, times and processor times as seconds
  per operation.
  """

  @clients 100
  @passes 3
  @warm_up 1_000

  def main([workload, servers, operations]) do
    # Crashes are reported to nobody, as in the two Python implementations.
    :logger.set_primary_config(:level, :none)
    Latch.open()
    figures = run(workload, String.to_integer(servers), String.to_integer(operations))
    body = Enum.map_join(figures, ", ", fn {name, value} -> ~s("#{name}": #{value}) end)
    IO.puts("{#{body}}")
    # Not System.stop: taking the servers down in order is no part of the workload.
    System.halt(0)
  end

  defp run("start", servers, _operations), do: starts(ids(servers, "txn"))

  defp run("start_tuples", servers, _operations), do: starts(tuples(ids(servers, "txn")))

  defp run("call", servers, operations) do
    targets = repeat(started(servers), operations)
    passes(operations, fn -> call_each(targets) end)
  end

  defp run("call_named", servers, operations) do
    [pid] = started(servers)
    true = Process.register(pid, :tracker)
    passes(operations, fn -> call_each(List.duplicate(:tracker, operations)) end)
  end

  defp run("call_via", servers, operations) do
    started(servers)
    targets = repeat(Enum.map(ids(servers, "txn"), &Tracker.via/1), operations)
    passes(operations, fn -> call_each(targets) end)
  end

  defp run("clients", servers, operations) do
    shares = deal(repeat(started(servers), operations))
    [_warm_up | passes] = for _ <- 0..@passes, do: concurrently(shares)
    medians(passes, operations)
  end

  defp run("cast_one", servers, operations) do
    targets = repeat(started(servers), operations)
    passes(operations, fn -> bump_all(targets) end)
  end

  defp run("cast_spread", servers, operations) do
    targets = repeat(started(servers), operations)
    passes(operations, fn -> arrive_burst(targets) end)
  end

  defp run("cast_each", servers, operations) do
    bursts = Enum.chunk_every(repeat(started(servers), operations), servers)
    passes(operations, fn -> Enum.each(bursts, &arrive_burst/1) end)
  end

  defp run("lookup", servers, operations), do: lookups(ids(servers, "txn"), operations)

  defp run("lookup_tuples", servers, operations),
    do: lookups(tuples(ids(servers, "txn")), operations)

  defp run("crash", servers, operations),
    do: crashes(servers, operations, :single)

  defp run("crash_partitioned", servers, operations),
    do: crashes(servers, operations, :partitioned)

  defp run("stop", servers, _operations), do: stop(servers, :single)

  defp run("stop_partitioned", servers, _operations),
    do: stop(servers, :partitioned)

  # The measured loops

  defp start_all([], _supervision), do: []

  defp start_all([id | rest], supervision),
    do: [Tracker.start(id, supervision) | start_all(rest, supervision)]

  defp call_each([]), do: :ok

  defp call_each([pid | rest]) do
    Tracker.status(pid)
    call_each(rest)
  end

  defp bump_all([pid | _] = targets) do
    bump_each(targets)
    # Messages of one sender arrive in order: the answer comes after the last bump.
    Tracker.status(pid)
  end

  defp bump_each([]), do: :ok

  defp bump_each([pid | rest]) do
    Tracker.bump(pid)
    bump_each(rest)
  end

  defp arrive_burst(burst) do
    Latch.set(length(burst))
    arrive_each(burst)
    Latch.wait()
  end

  defp arrive_each([]), do: :ok

  defp arrive_each([pid | rest]) do
    Tracker.arrive(pid)
    arrive_each(rest)
  end

  defp lookup_each([]), do: :ok

  defp lookup_each([id | rest]) do
    Tracker.lookup(id)
    lookup_each(rest)
  end

  defp crash_each([]), do: :ok

  defp crash_each([id | rest]) do
    pid = Tracker.lookup(id)
    Tracker.crash(pid)
    await_successor(id, pid)
    crash_each(rest)
  end

  defp await_successor(id, pid) do
    case Tracker.lookup(id) do
      found when found in [nil, pid] ->
        :erlang.yield()
        await_successor(id, pid)

      successor ->
        successor
    end
  end

  # What is needed around them

  defp starts(wanted) do
    servers = length(wanted)
    Tracker.open(:single)
    start_all(ids(@warm_up, "warm"), :single)
    before = memory()
    {spent, pids} = timed(fn -> start_all(wanted, :single) end)
    bytes = memory() - before
    true = length(pids) == servers
    per(spent, servers) ++ [bytes: bytes / servers]
  end

  defp stop(servers, supervision) do
    pids = started(servers, supervision)
    {spent, :ok} = timed(fn -> Tracker.close(supervision) end)
    false = Enum.any?(pids, &Process.alive?/1)
    per(spent, 1)
  end

  defp lookups(known, operations) do
    Tracker.open(:single)
    start_all(known, :single)
    wanted = repeat(known, operations)
    true = is_pid(Tracker.lookup(hd(wanted)))
    passes(operations, fn -> lookup_each(wanted) end)
  end

  defp crashes(servers, operations, supervision) do
    started(servers, supervision)
    warm = ids(div(operations, 10), "warm")
    start_all(warm, supervision)
    crash_each(warm)
    doomed = Enum.take(ids(servers, "txn"), operations)
    {spent, :ok} = timed(fn -> crash_each(doomed) end)
    per(spent, operations)
  end

  defp concurrently(shares) do
    clients = for share <- shares, do: Task.async(fn -> client(share) end)
    {spent, _} = timed(fn -> release(clients) end)
    spent
  end

  defp client(share) do
    receive do
      :go -> call_each(share)
    end
  end

  defp release(clients) do
    Enum.each(clients, &send(&1.pid, :go))
    Task.await_many(clients, :infinity)
  end

  defp started(servers, supervision \\ :single) do
    Tracker.open(supervision)
    start_all(ids(servers, "txn"), supervision)
  end

  defp ids(count, prefix),
    do: for(number <- 1..count, do: "#{prefix}_#{String.pad_leading("#{number}", 24, "0")}")

  defp tuples(ids), do: for(id <- ids, do: {:txn, id})

  defp repeat(list, length), do: list |> Stream.cycle() |> Enum.take(length)

  defp deal(list) do
    parts = list |> Enum.with_index() |> Enum.group_by(fn {_, i} -> rem(i, @clients) end)
    for {_, part} <- parts, do: Enum.map(part, fn {pid, _} -> pid end)
  end

  # One pass to warm up, then the medians of the others.
  defp passes(operations, pass) do
    pass.()
    medians(for(_ <- 1..@passes, do: elem(timed(pass), 0)), operations)
  end

  defp medians(passes, operations) do
    {times, cpus} = Enum.unzip(passes)
    per({median(times), median(cpus)}, operations)
  end

  defp per({time, cpu}, operations), do: [time: time / operations, cpu: cpu / operations]

  defp median(values), do: values |> Enum.sort() |> Enum.at(div(length(values), 2))

  defp timed(work) do
    {cpu_before, _} = :erlang.statistics(:runtime)
    before = :erlang.monotonic_time(:nanosecond)
    result = work.()
    time = (:erlang.monotonic_time(:nanosecond) - before) / 1.0e9
    {cpu, _} = :erlang.statistics(:runtime)
    {{time, (cpu - cpu_before) / 1.0e3}, result}
  end

  defp memory do
    :erlang.garbage_collect()
    :erlang.memory(:total)
  end
end
