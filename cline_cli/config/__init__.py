"""What the person has set up: folders, settings, credentials."""
