"""WHAT a fleet is, from a stack file to the objects that follow from it; without Pulumi, without a network.

Rooms, each of which imports only from those after it: `loading`, `checks`, `desired`, `model`.
"""
