"""The protocols of Erlang's distribution without sockets: epmd, the handshake, and frames."""
