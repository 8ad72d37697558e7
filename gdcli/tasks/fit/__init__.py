"""Models fitted to data: what is asked (request), made ready (prepare), solved (solve), what came of it (outcome)."""
