"""The known bugs, sorted by the ports' rooms; a new file is found without a word."""
