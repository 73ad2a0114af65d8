"""How a GenServer runs: its callbacks, its requests, its process.

Private; `beamish.gen_server` is the public face.
"""
