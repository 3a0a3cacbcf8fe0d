"""The one door to the network: a client, retries, server-sent events."""
