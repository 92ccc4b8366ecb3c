"""Quarterdeck: deploys, approvals, rollbacks and an audit trail from Slack."""
