"""The agent: messages, tools, a provider and the loop over them. Standard library only; no files, network, console."""
