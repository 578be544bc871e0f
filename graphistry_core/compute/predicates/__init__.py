"""PyGraphistry's paths for predicates (``.predicates.is_in.is_in``, …); the classes are in :mod:`..conditions`.

Nothing is defined here: a submodule of a name would take the place of a function of the same name.
"""
