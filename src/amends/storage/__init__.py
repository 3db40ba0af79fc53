"""What is stored, and the ports to it: below the engine, so that views and auditing read it without one."""
