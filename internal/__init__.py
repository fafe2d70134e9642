"""Placeholder until the room re-exports its names."""
