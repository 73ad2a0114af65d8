"""The commands that this package adds to ``txtrack``: its entry points name them."""
