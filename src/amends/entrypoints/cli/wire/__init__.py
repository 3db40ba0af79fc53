"""``amends wire``: what lies on a wire that no taker could act on, for a person to look at and to decide."""
