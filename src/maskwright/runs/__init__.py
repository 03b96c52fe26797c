"""A run, from data to a model's folder: what was asked, what is chosen, the folder on its way, the card."""
