"""The project the agent works in: its files, and what of them is ignored."""
