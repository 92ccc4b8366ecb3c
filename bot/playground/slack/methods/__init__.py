"""Web API methods, one module per family, each a plain function from arguments to an answer."""
