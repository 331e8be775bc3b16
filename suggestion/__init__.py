"""Classes suggested from text: how the model is trained, measured, written and read (issue 4, section 3).

What a model answers is in `domain.class_suggestion`; nothing here runs in a worker or in the API but `model_file`.
"""
