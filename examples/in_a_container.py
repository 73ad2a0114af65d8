"""A graceful stop in a container: SIGTERM ends the work in order, and the status is 0.

`run` stops the tree in reverse order of its start, each child within its ``shutdown``: the intake
first, so that nothing new comes; then the worker, which finishes what it has. Keep the sum below
the time the container has: 10 seconds with ``docker stop``, 30 in Kubernetes.

    CMD ["python", "in_a_container.py"]    # not: CMD python …, whose shell keeps the signal

Run it: ``python examples/in_a_container.py``, then ``kill -TERM`` it, or press Ctrl-C
"""

import asyncio

from beamish import Application, ChildSpec, GenServer, cast, process, run


class Worker(GenServer, shutdown=5.0):
    """Does the jobs it gets, in batches."""

    def __init__(self) -> None:
        self.waiting: list[int] = []

    @cast
    def add(self, job: int) -> None:
        """Take a job, to be done with the next batch."""
        self.waiting.append(job)
        if job == 3:
            print("jobs are waiting", flush=True)

    async def terminate(self, reason: object) -> None:
        """Finish what was accepted before the end."""
        for job in self.waiting:
            await asyncio.sleep(0.001)  # the work
            print(f"finished job {job}", flush=True)


class Intake(GenServer, shutdown=1.0):
    """Takes jobs from outside and gives them to the worker."""

    def init(self) -> None:
        """Begin."""
        self.jobs = 0
        process.send(self.pid, "next")

    def handle_info(self, message: object) -> None:
        """Pass a job on."""
        self.jobs += 1
        Worker.add("worker", self.jobs)
        if self.jobs < 3:
            process.send(self.pid, "next")

    def terminate(self, reason: object) -> None:
        """Stop accepting jobs."""
        print("closed for new jobs", flush=True)


class Service(Application):
    """The worker, and who gives it its jobs."""

    def children(self) -> list[ChildSpec]:
        """List what to start, in this order; it stops in the reverse order."""
        return [Worker.child_spec(name="worker"), Intake.child_spec()]

    def stop(self) -> None:
        """Print that the program stopped."""
        print("stopped in order", flush=True)


if __name__ == "__main__":
    run(Service())
