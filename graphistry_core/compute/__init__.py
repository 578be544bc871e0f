"""What a Plottable computes. Empty so far: tasks use pandas, or PyGraphistry's own Plottable."""
