"""Local stand-ins for ``quarterdeck demo``; the bot never imports them."""
