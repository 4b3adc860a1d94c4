"""What lies between clients and servers: which servers there are, what of them a caller sees, and who is asked.

Wires are the door's and the upstreams' business.
"""
