"""Learning rules: how the weights come to change."""
