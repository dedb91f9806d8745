"""The finder: one free sentence in French, English, Spanish or German becomes criteria, and criteria become a ranked list.

The grammar is our own; what words mean stands in `lexicons/`, one folder of JSON files a language, which a person can edit.
"""
