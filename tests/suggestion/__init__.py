"""Classes suggested from text: what the model answers, how it is trained, and that its figures are true."""
