"""Where people and programs come in. What is read here is checked here; what is decided is decided in the core."""
