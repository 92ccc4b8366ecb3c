"""Whether a canary is worse than the stable version beside it: pure functions of counts."""
