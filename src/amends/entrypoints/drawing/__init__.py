"""What the commands and the demo draw with: paper and marks, tables, timelines, diagrams, and words for times."""
