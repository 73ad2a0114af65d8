"""What observes processes: facts, limits, crash reports, the watchdog, and the requests of `debug`.

Private. It is built on the runtime, which does not import it: its functions are called by the
hooks of the runtime.
"""

from beamish._diagnostics import crashes, watchdog
from beamish._runtime import hooks

hooks.runtime_created.append(watchdog.watch)
hooks.process_crashed.append(crashes.report)
