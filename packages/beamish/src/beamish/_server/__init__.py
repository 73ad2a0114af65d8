"""The implementation of servers: their callbacks, requests and processes.

Private; the public module is `beamish.gen_server`.
"""
