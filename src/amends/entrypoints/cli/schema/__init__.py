"""The commands about a store's place: its schema, its settings, and who may do what."""
