"""``make bench``: speed and cost of the whole bot, as ratios within one run."""
