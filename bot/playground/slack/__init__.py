"""A strict local Slack: it refuses what Slack refuses. See ``workspace.Workspace``."""
