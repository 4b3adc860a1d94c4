"""Personal data in prompts and answers, for RouteIQ: masked, hashed, refused, or put back into the answer."""
