"""The network interface: REST and streams, wire-compatible with the client libraries traders already have."""
