"""The dossier and its verifier."""
