"""What is kept of runs: the messages of each, as they came, and what was too large for one."""
