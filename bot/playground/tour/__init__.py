"""The demo: stand-ins and the bot on one stage, a tour that plays itself, and a prompt."""
