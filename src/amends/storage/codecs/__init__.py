"""How values of users are stored and read back: requests, answers, entities, and the types that they have."""
