"""``amends demo``: a tour of a minute, of which every line has just been run."""
