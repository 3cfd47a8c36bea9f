"""A whole run: every model × task of a configuration, resumed where it stopped, then scored and reported."""
