"""What is tested: networks with their objective, architecture, learning rule and training data."""
