"""The one error of the stack: a sentence for the operator, printed without a traceback."""


class StackError(Exception):
    """Something the operator can act on; its text is one clear line. `recall` exits with code 2."""
