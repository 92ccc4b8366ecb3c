"""How well the canary judge tells good canaries from bad ones, beside the rules of its peers."""
