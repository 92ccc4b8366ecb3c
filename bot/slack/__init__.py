"""The edge to Slack; nothing else imports its SDK."""
