"""Consumers of events: each turns a run into bytes for somebody."""
