"""What the ports are made of: a module for each way to keep things, chosen by `amends.bootstrap`."""
