"""Facts about models: what they may put out, and the weights of the embedded ones."""
