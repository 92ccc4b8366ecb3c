"""What must survive a crash: durable, read top to bottom, through ports only."""
