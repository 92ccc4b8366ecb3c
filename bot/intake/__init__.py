"""One front door: command and requester in; decision, audit row and durable work out."""
