"""Slack messages drawn in a terminal, so that the tour shows what a channel would."""
