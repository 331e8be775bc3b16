"""The demonstration: plays everybody around the product from outside, and checks what the product says.

It imports nothing of the product. It talks to it as its users do: by the `recall` command, by HTTP with a token, by
the pages and text messages a recipient gets. `demo.checker` recomputes the answer from the raw file.
"""
