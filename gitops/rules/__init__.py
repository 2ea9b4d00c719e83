"""The rules of `fleet lint`, by what they look at."""
