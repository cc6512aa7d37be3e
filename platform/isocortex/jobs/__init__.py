"""Jobs: who scores which submission, where, and what became of it."""
