"""All SQL of file import: temporary staging tables filled by COPY, then set-based statements, one transaction.

Rows are never judged one by one. Ids of records a file may bring are reserved while everything is still being
checked; a record is inserted only if a row that is accepted needs it.
"""
