"""What people are called for: rules over a store, told once when they begin to hold and once when they cease to."""
