"""Speed and memory against peers, as ratios side by side in one run: `make bench`."""
