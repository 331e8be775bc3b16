"""The dossier: one archive that proves what happened in a recall, and the verifier that needs nothing of ours."""
