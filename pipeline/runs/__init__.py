"""One build on disk: written, found, judged again."""
