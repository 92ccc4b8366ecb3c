"""The demo as a web page: the chat, the world behind it, and its levers."""
