"""Telling how a process does, in files and over ports, to what starts it anew or sends it work."""
