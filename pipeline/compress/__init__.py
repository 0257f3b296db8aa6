"""Compression: one file a method; ``methods`` has the table that names them."""
