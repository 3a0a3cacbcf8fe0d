"""The operating system: files, processes, standard input and output."""
