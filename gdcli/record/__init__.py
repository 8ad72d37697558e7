"""Runs on disk: what a process leaves behind so that another can go on."""
