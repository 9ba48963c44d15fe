"""The commands that do what a pipeline does, one file each: its options, and what it prints."""
