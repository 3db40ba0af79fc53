"""What people look at of a store: sagas, one saga's story, and how the whole of it does.

It is read with short transactions while an engine may write, and without the definitions of the sagas.
"""
