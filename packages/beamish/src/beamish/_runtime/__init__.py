"""The runtime: the only code that knows the event loop.

Private. One `Runtime` for each event loop holds its processes, local names, timers and the queue
of processes that have something to do.
"""
