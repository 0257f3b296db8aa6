"""What a build is asked for: models of each part, TOML, the user's functions, bundled recipes."""
