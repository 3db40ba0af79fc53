"""Who may call what: keys, sessions of people, and the gate that every request passes."""
