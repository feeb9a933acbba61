"""What the node publishes over WebSockets: one path for each topic, and one socket for all. Start with `hub`."""
