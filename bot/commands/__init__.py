"""What people type: one grammar, one parser, typed commands."""
