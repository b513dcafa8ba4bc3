"""Models on the engine."""
