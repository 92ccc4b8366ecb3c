"""Who may do what, when: pure functions from facts to decisions."""
