"""Files of trading partners become records: readers, mapping files, conversion, and loading as batches.

Nothing is silently dropped, changed or guessed: each row of a file is new, already there, or rejected with the
field and the reason, and the three add up to what was read.
"""
