"""Speed and memory against peers, as ratios side by side in one run: `make bench`."""

import os

os.environ["TQDM_DISABLE"] = "1"  # the peers' progress bars; read when they are imported
