"""What is left of what was answered Success when the power goes, or when the disk is full."""
