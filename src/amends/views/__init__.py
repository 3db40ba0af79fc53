"""What people look at of a store: sagas, one saga's story, and how the whole of it does.

All of it is read, with short transactions, while an engine may write, and without anybody's definitions.
"""
