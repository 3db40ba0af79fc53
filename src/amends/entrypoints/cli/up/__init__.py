"""``amends up``: the shop, spread over processes and databases of their own, on one machine for a look."""
