"""The one form of a graph that every compression method takes."""
