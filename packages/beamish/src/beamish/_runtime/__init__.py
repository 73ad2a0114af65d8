"""The runtime: the only code that uses the event loop.

Private. One `Runtime` for each event loop holds its processes, local names, timers and run queue;
`runtime.py` explains the scheduler.
"""
