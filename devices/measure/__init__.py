"""What is read off a running model: time, memory, energy. Standard library and numpy only."""
