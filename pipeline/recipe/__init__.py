"""The recipe of a build: models of each section, TOML, functions of the user, bundled recipes."""
