"""What an agent's network for screens spends its time in; flat arrays, no torch."""
