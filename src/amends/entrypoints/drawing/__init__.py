"""What the commands and the demo draw with: paper and signs, tables, timelines, diagrams, and words for times."""
