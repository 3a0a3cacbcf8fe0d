"""The folder a run works in: what lies inside it, what is ignored, what may be read and written."""
