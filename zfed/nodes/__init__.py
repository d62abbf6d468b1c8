"""Nodes: a pure logic each, and the pump, threads and files around it."""
