"""From a prompt to a vector of numbers: hashing of words and letters, or an embedder's vector.

What is predicted from the vectors is in `scorers`.
"""
