"""What may run, what is asked, what is denied. Pure: it decides, and does nothing."""
